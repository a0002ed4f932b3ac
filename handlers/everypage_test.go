package handlers

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// checkHeaders holds for every answer, whatever its status.
func checkHeaders(t *testing.T, r *http.Request, rec *httptest.ResponseRecorder) {
	t.Helper()
	h := rec.Header()
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY"} {
		if got := h.Values(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s %s: %s is %q, want %q", r.Method, r.URL.Path, name, got, want)
		}
	}
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s %s lets other origins read: %s", r.Method, r.URL.Path, name)
		}
	}
	csp := h.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
		t.Errorf("%s %s: Content-Security-Policy is %q", r.Method, r.URL.Path, csp)
	}
	if h.Get("X-Request-Id") == "" {
		t.Errorf("%s %s has no request id", r.Method, r.URL.Path)
	}
	if (!strings.HasPrefix(r.URL.Path, "/static/") || rec.Code != http.StatusOK) && h.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s: Cache-Control is %q", r.Method, r.URL.Path, h.Get("Cache-Control"))
	}
	for _, leak := range leaks(rec.Body.String()) {
		t.Errorf("%s %s: the answer holds a secret: %s", r.Method, r.URL.Path, leak)
	}
}

// leaks finds the secret key in the encodings that a leak could have, and signatures.
func leaks(text string) []string {
	quoted, _ := json.Marshal(secretKey) // a string
	backwards := []rune(secretKey)
	slices.Reverse(backwards)
	forms := map[string]string{
		"plain": secretKey, "percent": url.QueryEscape(secretKey), "path": url.PathEscape(secretKey), "JSON": strings.Trim(string(quoted), `"`), "HTML": html.EscapeString(secretKey),
		"base64": base64.StdEncoding.EncodeToString([]byte(secretKey))[:30], "base64 of addresses": base64.URLEncoding.EncodeToString([]byte(secretKey))[:30],
		"hex": hex.EncodeToString([]byte(secretKey)), "backwards": string(backwards), "its end": "7QzKey8842",
	}
	var found []string
	for name, form := range forms {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			found = append(found, name)
		}
	}
	if signature.MatchString(text) {
		found = append(found, "a UserSig")
	}
	return found
}

var signature = regexp.MustCompile(`(?i)usersig=[a-z0-9*_-]`)

func TestLeaksAreFound(t *testing.T) {
	quoted, err := json.Marshal(secretKey)
	must(t, err)
	for _, text := range []string{secretKey, url.QueryEscape(secretKey), string(quoted), html.EscapeString(secretKey), hex.EncodeToString([]byte(secretKey)),
		base64.StdEncoding.EncodeToString([]byte(secretKey)), strings.ToUpper(hex.EncodeToString([]byte(secretKey))), "x?usersig=eJx"} {
		if len(leaks("before "+text+" after")) == 0 {
			t.Errorf("%q is not found", text)
		}
	}
	if found := leaks("usersig=[removed]"); len(found) > 0 {
		t.Errorf("found %v where nothing is", found)
	}
}

// ids are the first parts of the names of all texts.
var ids = sync.OnceValue(func() map[string]bool {
	first := map[string]bool{}
	entry := regexp.MustCompile(`(?m)^\[?"?([a-z_]+)\.`)
	names, err := filepath.Glob("../i18n/catalogues/*.en.toml")
	if err != nil || len(names) < 5 {
		panic("the catalogues are not where they were")
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		for _, m := range entry.FindAllStringSubmatch(string(text), -1) {
			first[m[1]] = true
		}
	}
	return first
})

var idShape = regexp.MustCompile(`^[a-z_0-9]+(\.[A-Za-z_0-9]+)+$`)

func isTextID(text string) bool {
	return idShape.MatchString(text) && ids()[text[:strings.IndexByte(text, '.')]]
}

// spoken are the attributes whose values people read or hear.
var spoken = []string{"title", "aria-label", "placeholder", "alt", "data-done", "data-failed", "data-template"}

// checkPage holds for every page: nothing inline, no text that lacks its translation.
func checkPage(t *testing.T, name string, p page) {
	t.Helper()
	if n := p.count("script:not([src]), style, iframe, object, embed, base"); n > 0 {
		t.Errorf("%s: %d inline scripts, styles or frames", name, n)
	}
	if p.count("html[lang]") != 1 || p.count("title") != 1 || p.count("h1") != 1 || p.count("main") != 1 {
		t.Errorf("%s: a page needs one language, one title, one first heading and one main part", name)
	}
	// Password managers know these fields; nothing keeps anybody from pasting, as there are no handlers in pages (below).
	if n := p.count(`input[name=password]:not([autocomplete$="-password"]), input[name=password][maxlength], input[name=password][readonly]`); n > 0 {
		t.Errorf("%s: %d password fields that a password manager does not fill", name, n)
	}
	p.doc.Find(".is-invalid").Each(func(_ int, field *goquery.Selection) {
		why := 0
		for _, id := range strings.Fields(field.AttrOr("aria-describedby", "")) {
			why += p.count("#" + id + ".cb-err")
		}
		if field.AttrOr("aria-invalid", "") != "true" || why == 0 && field.AttrOr("type", "") != "checkbox" {
			t.Errorf("%s: nobody who listens is told that %q is wrong, or why", name, field.AttrOr("id", ""))
		}
	})
	seen := map[string]bool{}
	p.doc.Find("*").Each(func(_ int, s *goquery.Selection) {
		node := s.Get(0)
		for _, a := range node.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || a.Key != "value" && strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
				t.Errorf("%s: <%s %s=%q>", name, node.Data, a.Key, a.Val)
			}
			if slices.Contains(spoken, a.Key) {
				checkText(t, name, a.Val)
			}
			if a.Key == "id" {
				if seen[a.Val] {
					t.Errorf("%s: the id %q stands twice", name, a.Val)
				}
				seen[a.Val] = true
			}
		}
		s.Contents().Each(func(_ int, c *goquery.Selection) {
			if goquery.NodeName(c) == "#text" {
				checkText(t, name, strings.TrimSpace(c.Text()))
			}
		})
	})
}

func checkText(t *testing.T, name, text string) {
	t.Helper()
	if isTextID(text) || strings.Contains(text, "<no value>") || strings.Contains(text, "{{") {
		t.Errorf("%s: the text %q is not translated", name, text)
	}
}
