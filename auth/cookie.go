package auth

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
)

// CookieKeySize is the length of one cookie key: 64 bytes to sign, 32 to encrypt.
const CookieKeySize = 96

// NewCookieKey draws a cookie key.
func NewCookieKey() ([]byte, error) {
	key := make([]byte, CookieKeySize)
	_, err := rand.Read(key)
	return key, err
}

// Cookies puts a random session id into a signed and encrypted cookie. Everything else about a session is in the
// database, under the hash of the id.
type Cookies struct {
	store *sessions.CookieStore
	name  string
}

// NewCookies takes the keys, newest first; older ones still open cookies. secure is for consoles served over https:
// the cookie then has the __Host- prefix.
func NewCookies(keys [][]byte, secure bool, maxAgeSeconds int) *Cookies {
	var pairs [][]byte
	for _, k := range keys {
		pairs = append(pairs, k[:64], k[64:])
	}
	c := &Cookies{store: sessions.NewCookieStore(pairs...)}
	for _, codec := range c.store.Codecs {
		if k, ok := codec.(*securecookie.SecureCookie); ok {
			k.SetSerializer(texts{})
		}
	}
	c.store.Options = &sessions.Options{Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure}
	c.name = c.prefixed("callboard_session")
	// Sets the age of the signature too, which Options alone would leave at 30 days.
	c.store.MaxAge(maxAgeSeconds)
	return c
}

// texts is how the values of a cookie are written: all of ours are texts. What the library does otherwise compiles a
// decoder for every request.
type texts struct{}

var errNotTexts = errors.New("a cookie holds texts alone")

// Serialize writes a session's values.
func (texts) Serialize(values any) ([]byte, error) {
	all, ok := values.(map[any]any)
	if !ok {
		return nil, errNotTexts
	}
	list := map[string]string{}
	for name, value := range all {
		n, named := name.(string)
		v, text := value.(string)
		if !named || !text {
			return nil, errNotTexts
		}
		list[n] = v
	}
	return json.Marshal(list)
}

// Deserialize reads them.
func (texts) Deserialize(written []byte, values any) error {
	all, ok := values.(*map[any]any)
	if !ok {
		return errNotTexts
	}
	var list map[string]string
	if err := json.Unmarshal(written, &list); err != nil {
		return err
	}
	*all = make(map[any]any, len(list))
	for name, value := range list {
		(*all)[name] = value
	}
	return nil
}

const idField = "id"

// Session returns the hash of the session id in the request's cookie; "" when there is none that we made.
func (c *Cookies) Session(r *http.Request) string {
	s, err := c.store.Get(r, c.name)
	if err != nil {
		return "" // damaged, or of another key: as if there were none
	}
	id, _ := s.Values[idField].(string)
	if id == "" {
		return ""
	}
	return Digest(id)
}

// Start gives the browser a new session id and returns its hash. An id that the browser brought is never kept.
func (c *Cookies) Start(w http.ResponseWriter, r *http.Request) (string, error) {
	s := sessions.NewSession(c.store, c.name)
	options := *c.store.Options
	s.Options = &options
	id := rand.Text()
	s.Values[idField] = id
	if err := c.store.Save(r, w, s); err != nil {
		return "", fmt.Errorf("writing the session cookie: %w", err)
	}
	return Digest(id), nil
}

// End takes the cookie back.
func (c *Cookies) End(w http.ResponseWriter, r *http.Request) error {
	s := sessions.NewSession(c.store, c.name)
	options := *c.store.Options
	options.MaxAge = -1
	s.Options = &options
	return c.store.Save(r, w, s)
}

// browserCookie is the plain part of the name of the cookie that tells a known browser.
const browserCookie = "callboard_browser"

// Browser returns the hash of the random id by which a browser is known; "" when it brings none.
func (c *Cookies) Browser(r *http.Request) string {
	k, err := r.Cookie(c.prefixed(browserCookie))
	if err != nil || k.Value == "" {
		return ""
	}
	return Digest(k.Value)
}

// KnowBrowser gives the browser a new id to be known by and returns its hash. It opens nothing: it only moves the
// person's own tries to a counter of their own.
func (c *Cookies) KnowBrowser(w http.ResponseWriter) string {
	id := rand.Text()
	k := sessions.NewCookie(c.prefixed(browserCookie), id, c.store.Options) //nolint:gosec // Secure follows the public address; plain http is for loopback
	k.MaxAge = int(KnownBrowserLife.Seconds())
	http.SetCookie(w, k)
	return Digest(id)
}

func (c *Cookies) prefixed(name string) string {
	if c.store.Options.Secure {
		return "__Host-" + name
	}
	return name
}

// onceCookie is the plain part of the name of the cookie that carries a text to the next page.
const onceCookie = "callboard_once"

// onceSeconds is how long the next page may take to come.
const onceSeconds = 300

// Put lets the page at path show a secret text once: it travels in an encrypted cookie, and no address or log holds it.
func (c *Cookies) Put(w http.ResponseWriter, r *http.Request, path, text string) error {
	s := c.once(onceSeconds)
	s.Values[path] = text
	if err := c.store.Save(r, w, s); err != nil {
		return fmt.Errorf("writing a cookie: %w", err)
	}
	return nil
}

// Take returns the text for the page at path and takes the cookie back; "" when there is none.
func (c *Cookies) Take(w http.ResponseWriter, r *http.Request, path string) string {
	s, err := c.store.Get(r, c.prefixed(onceCookie))
	if err != nil || s.IsNew {
		return ""
	}
	text, _ := s.Values[path].(string)
	if text == "" || c.store.Save(r, w, c.once(-1)) != nil {
		return ""
	}
	return text
}

func (c *Cookies) once(age int) *sessions.Session {
	s := sessions.NewSession(c.store, c.prefixed(onceCookie))
	options := *c.store.Options
	options.MaxAge = age
	s.Options = &options
	return s
}
