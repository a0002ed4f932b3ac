package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// What a request may bring. Whatever is beyond is refused before anything is done.
const (
	maxBody    = 1 << 20  // bytes; beyond: 413
	strangers  = 64 << 10 // bytes of a body without a session's cookie, as anybody can send many at once; beyond: 413
	maxFields  = 1000     // of a form; beyond: 413
	maxCookies = 100      // beyond: 431
	maxHeaders = 64 << 10 // bytes of all header lines, cookies among them; beyond: 431
	maxAddress = 24 << 10 // bytes of path and query, in which the longest search fits, encoded twice behind /sign-in?next=; beyond: 414
)

// What one person may have under way at once. Beyond: 429.
const (
	maxInFlight = 64   // requests; all posts of one plan count as one
	maxOfPlan   = 1000 // posts of one plan
	retryAfter  = 1    // seconds
)

// Limits of connections, for the server that listens.
const (
	// HeaderTime is how long a client may take to send the header.
	HeaderTime = 5 * time.Second
	// BodyTime is how long a client may take to send the whole request.
	BodyTime = 15 * time.Second
	// IdleTime is how long a connection is kept between requests.
	IdleTime = 2 * time.Minute
	// MaxHeaderBytes is what the server reads of a header: enough for pages to refuse it by themselves.
	MaxHeaderBytes = maxHeaders + maxAddress
)

// answerTime is how long a client may take to fetch a page; an export gets it anew with every part.
const answerTime = 30 * time.Second

var (
	errTooLarge    = errors.New("the request is too large")
	errAddressLong = errors.New("the address is too long")
	errHeaders     = errors.New("the header is too large")
	errInFlight    = errors.New("too many requests of one person at once")
)

// limitHeader refuses addresses, headers and cookies that no page of ours makes.
func limitHeader(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if len(r.RequestURI) > maxAddress {
			return errAddressLong
		}
		if headerSize(r) > maxHeaders || cookieCount(r) > maxCookies {
			return errHeaders
		}
		return next(c)
	}
}

// headerSize is what the header lines took on the wire.
func headerSize(r *http.Request) int {
	n := len("Host: \r\n") + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(": \r\n") + len(v)
		}
	}
	return n
}

func cookieCount(r *http.Request) int {
	n := 0
	for _, line := range r.Header.Values(echo.HeaderCookie) {
		n += strings.Count(line, ";") + 1
	}
	return n
}

// limitBody reads the form, as far as it is not too large.
func (s *server) limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Body == nil || r.Method == http.MethodGet || r.Method == http.MethodHead {
			return next(c)
		}
		limit := int64(maxBody)
		if s.Cookies.Session(r) == "" {
			limit = strangers
		}
		if r.ContentLength > limit {
			return errTooLarge
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, limit)
		if err := r.ParseForm(); err != nil {
			return echo.NewHTTPError(http.StatusBadRequest).SetInternal(err)
		}
		// What stands in the address is no part of a form: a link must not be able to fill one in.
		r.Form = r.PostForm
		n := 0
		for _, values := range r.PostForm {
			n += len(values)
		}
		if n > maxFields {
			return errTooLarge
		}
		return next(c)
	}
}

// inFlight counts what each person has under way, by slot.
type inFlight struct {
	mu     sync.Mutex
	slots  map[int64]map[string]int
	serial int64
}

// enter takes a place in a slot, "" for a slot of its own. The caller calls leave when the request is over.
func (f *inFlight) enter(user int64, slot string) (leave func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slot == "" {
		f.serial++
		slot = strconv.FormatInt(f.serial, 10)
	}
	held := f.slots[user]
	if held[slot] >= maxOfPlan || (held[slot] == 0 && len(held) >= maxInFlight) {
		return nil, false
	}
	if held == nil {
		if f.slots == nil {
			f.slots = map[int64]map[string]int{}
		}
		held = map[string]int{}
		f.slots[user] = held
	}
	held[slot]++
	return func() { f.leave(user, slot) }, true
}

func (f *inFlight) leave(user int64, slot string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.slots[user][slot]--; f.slots[user][slot] == 0 {
		delete(f.slots[user], slot)
	}
	if len(f.slots[user]) == 0 {
		delete(f.slots, user)
	}
}

// limitInFlight keeps one person from taking the place of all others.
func (s *server) limitInFlight(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		session := sessionOf(c)
		if session == nil {
			return next(c)
		}
		leave, ok := s.underWay.enter(session.User.ID, slotOf(c))
		if !ok {
			return errInFlight
		}
		defer leave()
		return next(c)
	}
}

// slotOf lets the posts of one plan, of which one acts and the others wait for it, count as one.
func slotOf(c echo.Context) string {
	if plan := c.FormValue("plan"); c.Request().Method == http.MethodPost && strings.HasSuffix(c.Path(), "/callback/apply") && plan != "" {
		return "plan " + plan
	}
	return ""
}
