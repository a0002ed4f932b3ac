package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

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
	c := &Cookies{store: sessions.NewCookieStore(pairs...), name: "callboard_session"}
	if secure {
		c.name = "__Host-" + c.name
	}
	c.store.Options = &sessions.Options{Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure}
	// Sets the age of the signature too, which Options alone would leave at 30 days.
	c.store.MaxAge(maxAgeSeconds)
	return c
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
	return hashID(id)
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
	return hashID(id), nil
}

// End takes the cookie back.
func (c *Cookies) End(w http.ResponseWriter, r *http.Request) error {
	s := sessions.NewSession(c.store, c.name)
	options := *c.store.Options
	options.MaxAge = -1
	s.Options = &options
	return c.store.Save(r, w, s)
}

func hashID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}
