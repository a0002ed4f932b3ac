package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"callboard/auth"
	"callboard/store"
	"callboard/tencent"
)

// TestEveryPageInBothLanguages opens every page; that no text lacks its translation is looked at on every page anyway.
func TestEveryPageInBothLanguages(t *testing.T) {
	for _, language := range []string{"en", "zh-Hans"} {
		t.Run(language, func(t *testing.T) {
			w := newWorld(t)
			x := prepare(w)
			b := w.as(store.Admin)
			wantSeeOther(t, b.post("/account", url.Values{"do": {"preferences"}, "language": {language}}), "/account?saved=1")
			var paths []string
			for _, r := range auth.Routes {
				if r.Method == http.MethodGet && r.Need != auth.Anyone {
					paths = append(paths, x.path(r))
				}
			}
			paths = append(paths, x.change, "/apps?state=attention", "/apps?q=nothing", "/history?q=nothing", "/history?q=%23999", "/nothing", "/apps/1/callback", formOf(otherID))
			for _, c := range tencent.ErrorCodes() {
				paths = append(paths, "/errors/"+itoa64(c.Code))
			}
			for _, path := range paths {
				p := b.get(path)
				if p.doc == nil {
					continue
				}
				// The page of an unknown path knows no session and takes the language of the browser.
				if got := p.attr("html", "lang"); got != language && path != "/nothing" {
					t.Errorf("%s is in %q", path, got)
				}
				chinese := strings.ContainsFunc(p.text("h1, main p"), func(r rune) bool { return unicode.Is(unicode.Han, r) })
				if chinese != (language == "zh-Hans") && path != "/nothing" {
					t.Errorf("%s: Chinese %v: %s", path, chinese, heading(p))
				}
			}
		})
	}
}

func TestLanguageBeforeSigningIn(t *testing.T) {
	w := newWorld(t)
	tests := []struct{ name, query, accept, cookie, want string }{
		{"nothing said", "", "", "", "en"},
		{"the browser's wish", "", "zh-CN,zh;q=0.9,en;q=0.8", "", "zh-Hans"},
		{"a wish that we cannot meet", "", "fr,de;q=0.9", "", "en"},
		{"chosen", "?language=zh-Hans", "en", "", "zh-Hans"},
		{"chosen before", "", "en", "zh-Hans", "zh-Hans"},
		{"chosen anew", "?language=en", "zh", "zh-Hans", "en"},
		{"rubbish", "?language=%3Cb%3E", "zh;;;q=x\x00", "rubbish", "en"},
		{"a very long wish", "", strings.Repeat("zh-CN,", 10_000), "", "en"},
	}
	for _, test := range tests {
		b := w.browser()
		if test.cookie != "" {
			b.cookies[languageCookie] = test.cookie
		}
		b.header.Set("Accept-Language", test.accept)
		p := b.get("/sign-in" + test.query)
		wantStatus(t, p, http.StatusOK)
		if got := p.attr("html", "lang"); got != test.want && test.name != "a very long wish" {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if got := b.cookies[languageCookie]; strings.HasPrefix(test.query, "?language=%3C") && got != "rubbish" {
			t.Errorf("%s was kept as %q", test.name, got)
		}
	}
}
