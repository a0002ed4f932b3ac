package handlers

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"callboard/auth"
	"callboard/sandbox"
	"callboard/store"
	"callboard/store/storetest"
	"callboard/views"
)

// encodings are the eight forms that a leaked secret could have. Base64 has three, as a secret can begin at any of three
// places in what is encoded.
var encodings = map[string]func(secret string) []string{
	"raw":        func(s string) []string { return []string{s} },
	"base64":     func(s string) []string { return shifted(base64.RawStdEncoding, s) },
	"base64 url": func(s string) []string { return shifted(base64.RawURLEncoding, s) },
	"hex":        func(s string) []string { return []string{hex.EncodeToString([]byte(s))} },
	"HEX":        func(s string) []string { return []string{strings.ToUpper(hex.EncodeToString([]byte(s)))} },
	"percent":    func(s string) []string { return []string{url.QueryEscape(s), url.PathEscape(s)} },
	"JSON": func(s string) []string {
		quoted, _ := json.Marshal(s) // a string
		return []string{strings.Trim(string(quoted), `"`)}
	},
	"HTML": func(s string) []string { return []string{html.EscapeString(s)} },
}

// shifted encodes a secret behind nothing, one and two bytes, without the letters that depend on what stands around it.
func shifted(e *base64.Encoding, secret string) []string {
	var list []string
	for before := range 3 {
		text := e.EncodeToString([]byte(strings.Repeat("x", before) + secret))
		list = append(list, text[(before*8+5)/6:len(text)-1])
	}
	return list
}

// canaries are secrets by what they are.
type canaries map[string]string

// userSig is how every signature begins: base64 of compressed JSON.
var userSig = regexp.MustCompile(`eJ[A-Za-z0-9*_-]{60,}`)

// in names the canaries that a text holds, with their encodings.
func (c canaries) in(text string) []string {
	var found []string
	for what, secret := range c {
		for name, encode := range encodings {
			if slices.ContainsFunc(encode(secret), func(form string) bool { return strings.Contains(text, form) }) {
				found = append(found, what+" as "+name)
			}
		}
	}
	if userSig.MatchString(text) {
		found = append(found, "a UserSig")
	}
	slices.Sort(found)
	return found
}

func TestCanariesAreFoundInEveryEncoding(t *testing.T) {
	c := canaries{"it": secretKey}
	for name, encode := range encodings {
		for _, form := range encode(secretKey) {
			if !slices.Contains(c.in("before "+form+" after"), "it as "+name) {
				t.Errorf("%s is not found", name)
			}
		}
	}
	for before := range 3 {
		if text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("-", before) + secretKey + "behind")); len(c.in(text)) == 0 {
			t.Errorf("base64 behind %d bytes is not found", before)
		}
	}
	if found := c.in("before after " + strings.Repeat("0123456789abcdef", 20)); len(found) != 0 {
		t.Errorf("found %v where nothing is", found)
	}
}

// aviary is a console in which every secret is a canary.
type aviary struct {
	*world
	admin *browser
	birds canaries
	users string // the page of somebody invited
}

const (
	ownerPassword   = "canary-owner-1<&'\"/+%"
	changedPassword = "canary-changed-2<&'\"/+%"
	guessedPassword = "canary-guessed-3<&'\"/+%"
	linkPassword    = "canary-link-4<&'\"/+%"
	setToken        = "canary-token-5"
	canaryCode      = "CANA-RYCO-DE66"
)

func newAviary(t *testing.T) *aviary {
	t.Helper()
	w := emptyWorld(t, storetest.SQLite(t), func(o *Options) { o.SetupCode = canaryCode })
	a := &aviary{world: w, admin: w.browser(), birds: canaries{"the secret key": secretKey, "the owner's first password": ownerPassword, "the owner's second password": changedPassword,
		"a wrong password": guessedPassword, "the password of a link": linkPassword, "a token that was set": setToken, "the setup code": canaryCode}}
	p := a.admin.press(a.admin.get("/setup"), "main form", url.Values{"code": {canaryCode}, "username": {"owner"}, "password": {ownerPassword}})
	wantStatus(t, p, http.StatusSeeOther)
	return a
}

// live does on the pages whatever takes or makes a secret.
func (a *aviary) live() {
	t := a.t
	must(t, a.box.AddApp(sandbox.App{SDKAppID: appID, Key: secretKey, Admins: []string{admins}}))
	settings := url.Values{"sdkappid": {itoa64(appID)}, "name": {"Aurora Stage"}, "region": {"box"}, "environment": {"test"}, "identifier": {admins}, "secret": {secretKey}}
	wantStatus(t, a.admin.press(a.admin.get("/apps/new"), "main form", settings), http.StatusSeeOther)
	wantStatus(t, a.admin.press(a.admin.get("/apps/new"), "main form", settings), http.StatusConflict) // it is there already
	a.admin.apply(a.admin.plan(appID, oldURL, created))
	a.admin.unknown(appID, created, ended)
	wantStatus(t, a.admin.post("/changes/2", url.Values{"do": {"check"}}), http.StatusSeeOther)
	a.setTokens()
	a.people()
	wantSeeOther(t, a.admin.post("/account", url.Values{"do": {"password"}, "current": {ownerPassword}, "password": {changedPassword}}), "/account?saved=1")
	a.keepCookies("the admin", a.admin)
	must(t, one(a.store.RotateKeys(t.Context(), store.CommandLine, false)))
}

func one[T any](_ T, err error) error { return err }

// setTokens sets a token by hand, then a generated one, whose plan shows it once, and leaves a plan with a third.
func (a *aviary) setTokens() {
	wantStatus(a.t, a.admin.post(tokenOf(appID), url.Values{"do": {"set"}, "token": {setToken + " "}, "reason": {""}}), http.StatusUnprocessableEntity)
	p := a.admin.post(tokenOf(appID), url.Values{"do": {"set"}, "token": {setToken}, "reason": {"a test"}})
	wantStatus(a.t, p, http.StatusSeeOther)
	a.admin.apply(p.location())
	for _, name := range []string{"a generated token", "a token that waits in its plan"} {
		p := a.admin.post(tokenOf(appID), url.Values{"do": {"generate"}, "reason": {"a test"}})
		wantStatus(a.t, p, http.StatusSeeOther)
		token := a.admin.get(p.location()).text("#new-token")
		if len(token) < 32 {
			a.t.Fatalf("%s is %q", name, token)
		}
		a.birds[name] = token
		if name == "a generated token" {
			a.admin.apply(p.location())
		}
	}
	check := a.admin.post(tokenOf(appID)+"/check", url.Values{"address": {"https://a.example/cb?SdkAppid=7&Sign=00&RequestTime=1735689600"}})
	wantStatus(a.t, check, http.StatusOK)
}

// people are invited, reset, sign in, guess wrong and sign out.
func (a *aviary) people() {
	user, link := a.admin.invited("lena", nil)
	lena := a.browser()
	a.birds["an invitation"] = strings.TrimPrefix(link, welcomePath)
	lena.get(strings.ToUpper(link) + "x") // mistyped
	wantSeeOther(a.t, lena.use(link, linkPassword), "/apps")
	a.keepCookies("lena", lena)
	reset := a.admin.link(a.admin.decide(user, "link"))
	a.birds["a reset"] = strings.TrimPrefix(reset, welcomePath)
	a.users = user
	stranger := a.browser()
	wantStatus(a.t, stranger.guess("lena", guessedPassword), http.StatusUnprocessableEntity)
	a.keepCookies("a stranger", stranger)
	late := a.browser()
	wantSeeOther(a.t, late.guess("owner", ownerPassword), "/apps")
	late.get("/apps")
	a.keepCookies("the owner's other browser", late)
	late.post("/sign-out", nil)
}

// keepCookies notes the cookies of a browser, and its form token.
func (a *aviary) keepCookies(whose string, b *browser) {
	for name, value := range b.cookies {
		if len(value) >= 20 {
			a.birds["the cookie "+name+" of "+whose] = value
		}
	}
	a.birds["the form token of "+whose] = b.csrf
}

// pages are all that an administrator can open, with exports and bundles.
func (a *aviary) pages() map[string]string {
	texts := map[string]string{}
	plan := a.column(`SELECT id FROM plans ORDER BY made_at LIMIT 1`)[0]
	x := roads{plan: views.AppPath(appID, "/callback/review/"+plan), change: "/changes/1", token: auth.NewToken(), user: strings.TrimPrefix(a.users, "/users/")}
	var paths []string
	for _, r := range auth.Routes {
		if r.Method == http.MethodGet {
			paths = append(paths, x.path(r))
		}
	}
	for _, id := range a.column(`SELECT id FROM plans`) {
		paths = append(paths, views.AppPath(appID, "/callback/review/"+id))
	}
	for _, number := range a.column(`SELECT CAST(number AS TEXT) FROM changes`) {
		path := "/changes/" + number
		paths = append(paths, path, path+"/bundle", views.AppPath(appID, "/compare?from="+number+"&to=1"))
		_, files, _ := unzip(a.t, a.admin.press(a.admin.get(path+"/bundle"), "main form", nil))
		for name, text := range files {
			texts[path+"/bundle "+name] = text
		}
	}
	for _, path := range append(paths, "/audit?acts=people", "/nothing") {
		p := a.admin.get(path)
		// A page has the form token of the browser that asked for it.
		texts[path] = strings.ReplaceAll(p.Body.String(), a.admin.csrf, "") + p.Header().Get("Location")
	}
	return texts
}

// files are all that the database keeps on the disk, while it is open.
func (a *aviary) files() map[string]string {
	texts := map[string]string{}
	names, err := filepath.Glob(a.db.Address + "*")
	must(a.t, err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		must(a.t, err)
		texts[filepath.Base(name)] = string(text)
	}
	if len(texts["callboard.db-wal"]) == 0 {
		a.t.Errorf("the files are %q: where is the log?", names)
	}
	return texts
}

// TestCanaries lets every secret through the whole console and looks for it wherever it must not be.
func TestCanaries(t *testing.T) {
	a := newAviary(t)
	a.live()
	places := a.pages()
	places["the log"] = a.log.String()
	for name, text := range a.files() {
		places[name] = text
	}
	// What the log held is in the main file afterwards.
	a.exec(`PRAGMA wal_checkpoint(FULL)`)
	for name, text := range a.files() {
		places[name+" after a checkpoint"] = text
	}
	if len(a.birds) < 14 || len(places) < 60 {
		t.Errorf("only %d secrets and %d places", len(a.birds), len(places))
	}
	for where, text := range places {
		for _, what := range a.birds.in(text) {
			t.Errorf("%s holds %s", where, what)
		}
	}
	if text := strings.Join(a.column(`SELECT act FROM audit`), " "); !strings.Contains(text, "token.shown") || !strings.Contains(text, "keys.rotated") || !strings.Contains(text, "bundle.made") {
		t.Errorf("something was not done: %s", text)
	}
}
