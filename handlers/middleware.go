package handlers

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"callboard/auth"
	"callboard/store"
)

// Keys of what middleware leaves in a request's context.
const (
	idKey      = "id"
	sessionKey = "session"
	csrfKey    = "csrf"
	headKey    = "head"
)

// guards check a request in the decided order: session, role with its apps, cross-origin, form token.
func (s *server) guards(need auth.Need) []echo.MiddlewareFunc {
	return []echo.MiddlewareFunc{s.loadSession, s.limitInFlight, s.requireRole(need), s.requireScope(need), s.crossOrigin(), s.formToken()}
}

// openGuards are for what anyone may have without a session; a need that is not met by nobody refuses everybody.
func (s *server) openGuards(need auth.Need) []echo.MiddlewareFunc {
	return []echo.MiddlewareFunc{s.requireRole(need)}
}

// allowAnswer gives the client time to fetch what is written next, so that slow ones cannot pile up.
func allowAnswer(c echo.Context) {
	// Not every writer has a deadline; those of tests have none.
	_ = http.NewResponseController(c.Response().Writer).SetWriteDeadline(time.Now().Add(answerTime))
}

// identify gives a request an id of our own for the log and the error pages, and one long wait for the database.
func (s *server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.SetRequest(c.Request().WithContext(store.OneWait(c.Request().Context())))
		id := rand.Text()[:12]
		c.Set(idKey, id)
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		allowAnswer(c)
		return next(c)
	}
}

// answerHead answers HEAD as GET, with the same checks; net/http leaves the body out. What a page shows only once, or
// writes down when it is fetched, asks headOnly.
func answerHead(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method == http.MethodHead {
			r := *c.Request() // the server has to go on seeing HEAD
			r.Method = http.MethodGet
			c.SetRequest(&r)
			c.Set(headKey, true)
		}
		return next(c)
	}
}

// headOnly tells that nobody reads the body.
func headOnly(c echo.Context) bool { return c.Get(headKey) != nil }

// method is the method as it was asked.
func method(c echo.Context) string {
	if headOnly(c) {
		return http.MethodHead
	}
	return c.Request().Method
}

func (s *server) recoverPanics(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler { //nolint:errorlint // the value itself is the protocol
					panic(v)
				}
				s.Log.Error("panic", "id", c.Get(idKey), "value", fmt.Sprint(v), "stack", string(debug.Stack()))
				err = errPanic
			}
		}()
		return next(c)
	}
}

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (s *server) secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
		h.Set("Cache-Control", "no-store") // static files set their own
		if s.secure() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		return next(c)
	}
}

func (s *server) secure() bool { return s.PublicURL != nil && s.PublicURL.Scheme == "https" }

// logRequest writes one line per request, without its query, which can hold what people searched for.
func (s *server) logRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		if strings.HasPrefix(c.Request().URL.Path, "/static/") || strings.HasSuffix(c.Path(), "z") {
			return nil
		}
		s.Log.Info("request", "id", c.Get(idKey), "method", method(c), "path", loggedPath(c),
			"status", c.Response().Status, "ms", time.Since(start).Milliseconds(), "user", userName(c), "address", c.RealIP())
		return nil
	}
}

// withoutSlash leads from an address with a slash at its end to the page that is meant.
func withoutSlash() echo.MiddlewareFunc {
	return middleware.RemoveTrailingSlashWithConfig(middleware.TrailingSlashConfig{RedirectCode: http.StatusMovedPermanently, Skipper: func(c echo.Context) bool {
		return c.Request().Method != http.MethodGet && c.Request().Method != http.MethodHead
	}})
}

func gzipPages() echo.MiddlewareFunc {
	return middleware.GzipWithConfig(middleware.GzipConfig{Level: gzip.BestSpeed, MinLength: 1024, Skipper: func(c echo.Context) bool {
		return strings.HasPrefix(c.Request().URL.Path, "/static/") // has its own
	}})
}

// loadSession finds out who asks. A session that cannot be looked up is an error, not a stranger.
func (s *server) loadSession(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := s.Cookies.Session(c.Request())
		if id == "" {
			return next(c)
		}
		ctx := c.Request().Context()
		session, err := s.Store.Session(ctx, id, s.Sessions)
		if err == store.ErrNotFound { //nolint:errorlint // returned bare
			return next(c)
		}
		if err != nil {
			return err
		}
		c.Set(sessionKey, &session)
		if !session.Fresh {
			if err := s.touch(ctx, id); err != nil {
				s.Log.Error("the last use of a session could not be written", "err", err)
			}
		}
		return next(c)
	}
}

// touchWait is how long a page waits for the last use of its session to be written: it can do without.
const touchWait = 300 * time.Millisecond

func (s *server) touch(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, touchWait)
	defer cancel()
	return s.Store.TouchSession(ctx, id)
}

func (s *server) requireRole(need auth.Need) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			session := sessionOf(c)
			role := ""
			if session != nil {
				role = session.User.Role
			}
			if need.Allows(role) {
				return next(c)
			}
			if session == nil {
				return errSignIn
			}
			s.noteRefusal(c)
			return &needError{need: need}
		}
	}
}

// noteRefusal puts a refused attempt into the audit. It stays refused when that cannot be written.
func (s *server) noteRefusal(c echo.Context) {
	if err := s.Store.AccessRefused(c.Request().Context(), actor(c), c.Request().Method+" "+c.Path()); err != nil {
		s.Log.Error("a refused attempt could not be written into the audit", "id", c.Get(idKey), "err", err)
	}
}

// crossOrigin refuses posts that a browser says come from elsewhere.
func (s *server) crossOrigin() echo.MiddlewareFunc {
	protection := http.NewCrossOriginProtection()
	if s.PublicURL != nil {
		// A proxy may change the Host header; the origin that the owner named is ours.
		if err := protection.AddTrustedOrigin(s.PublicURL.Scheme + "://" + s.PublicURL.Host); err != nil {
			s.Log.Error("the public address cannot be trusted as an origin", "err", err)
		}
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := protection.Check(c.Request()); err != nil || s.plainTwin(c.Request()) {
				return errCrossOrigin
			}
			return next(c)
		}
	}
}

// plainTwin tells whether a post comes from our host over plain http although we are served over https: whoever sits on
// the line can make such a page up. The standard check compares hosts alone.
func (s *server) plainTwin(r *http.Request) bool {
	return s.secure() && r.Method != http.MethodGet && strings.HasPrefix(strings.ToLower(r.Header.Get(echo.HeaderOrigin)), "http:")
}

const csrfField = "_csrf"

// formToken asks every post for the token of its form. Echo would do without when a browser says where a post comes
// from; here both checks have to pass, so the header is taken away after the first.
func (s *server) formToken() echo.MiddlewareFunc {
	check := middleware.CSRFWithConfig(middleware.CSRFConfig{
		TokenLookup: "form:" + csrfField + ",header:X-CSRF-Token", ContextKey: csrfKey, CookieName: s.csrfCookie(), CookiePath: "/",
		CookieMaxAge: int((30 * 24 * time.Hour).Seconds()), CookieHTTPOnly: true, CookieSecure: s.secure(), CookieSameSite: http.SameSiteLaxMode,
		ErrorHandler: func(_ error, c echo.Context) error {
			s.keepFormToken(c)
			return errFormToken
		},
	})
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Request().Header.Del(echo.HeaderSecFetchSite)
			s.dropEmptyToken(c.Request())
			return check(next)(c)
		}
	}
}

// dropEmptyToken takes an empty token cookie out of a request, as an empty field would fit it.
func (s *server) dropEmptyToken(r *http.Request) {
	if k, err := r.Cookie(s.csrfCookie()); err != nil || k.Value != "" {
		return
	}
	all := r.Cookies()
	r.Header.Del(echo.HeaderCookie)
	for _, k := range all {
		if k.Name != s.csrfCookie() {
			r.AddCookie(k)
		}
	}
}

// keepFormToken gives a refused post the token that the form given back needs: the browser's own, or a new one.
func (s *server) keepFormToken(c echo.Context) {
	if k, err := c.Cookie(s.csrfCookie()); err == nil && k.Value != "" {
		c.Set(csrfKey, k.Value)
		return
	}
	s.renewFormToken(c)
}

func (s *server) csrfCookie() string {
	if s.secure() {
		return "__Host-callboard_form"
	}
	return "callboard_form"
}

// renewFormToken gives the browser another token, so that one from before signing in or out is worth nothing.
func (s *server) renewFormToken(c echo.Context) {
	h := c.Response().Header()
	kept := h.Values(echo.HeaderSetCookie)
	h.Del(echo.HeaderSetCookie)
	for _, line := range kept {
		if !strings.HasPrefix(line, s.csrfCookie()+"=") {
			h.Add(echo.HeaderSetCookie, line)
		}
	}
	token := rand.Text()
	c.Set(csrfKey, token)
	c.SetCookie(&http.Cookie{Name: s.csrfCookie(), Value: token, Path: "/", MaxAge: int((30 * 24 * time.Hour).Seconds()), //nolint:gosec // Secure follows the public address; plain http is for loopback
		HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode})
}

// clientAddress is the peer, or what a trusted proxy says. No other forwarding header is believed.
func (s *server) clientAddress(r *http.Request) string {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if !s.trusted(peer) {
		return peer
	}
	// The last address that no proxy of ours added is the client; what stands before it is the client's own claim.
	hops := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop := strings.TrimSpace(hops[i])
		a, err := netip.ParseAddr(hop)
		if err != nil {
			break
		}
		// A zone can hold any text.
		if hop = a.WithZone("").Unmap().String(); !s.trusted(hop) {
			return hop
		}
	}
	return peer
}

func (s *server) trusted(address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	for _, p := range s.TrustedProxies {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

func sessionOf(c echo.Context) *store.Session {
	v, _ := c.Get(sessionKey).(*store.Session)
	return v
}

func userName(c echo.Context) string {
	if v := sessionOf(c); v != nil {
		return v.User.Name
	}
	return ""
}

// actor is the person of a request, as the store records it.
func actor(c echo.Context) store.Actor {
	a := store.Actor{Kind: store.PersonActor, Address: c.RealIP()}
	if v := sessionOf(c); v != nil {
		a.UserID, a.Name, a.Role = v.User.ID, v.User.Name, v.User.Role
	}
	return a
}

// may tells whether the person of a request meets a need.
func may(c echo.Context, need auth.Need) bool {
	v := sessionOf(c)
	return v != nil && need.Allows(v.User.Role)
}
