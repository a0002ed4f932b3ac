package handlers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/changes"
	"callboard/store"
	"callboard/views"
)

// Kinds of refusals, each with its page.
var (
	errSignIn      = errors.New("nobody is signed in")
	errScope       = errors.New("the person's writing does not reach this app")
	errLink        = errors.New("the link was used, has expired or never was")
	errCrossOrigin = errors.New("the request comes from another site")
	errFormToken   = errors.New("the form's token is missing or old")
	errNoEntry     = fmt.Errorf("no entry of the history: %w", store.ErrNotFound)
	errPanic       = errors.New("a programming error")
)

// needError says which role is needed.
type needError struct{ need auth.Need }

func (e *needError) Error() string { return "needs the role " + string(e.need) }

// problem is how an error is shown: a status and the id of its sentences, "problem.<id>.title" and "problem.<id>.text".
type problem struct {
	status int
	id     string
}

// statusGone is what logs call a request whose sender went away.
const statusGone = 499

// knownProblems are the kinds of errors that have pages of their own. The first that fits counts.
var knownProblems = []struct {
	kind error
	problem
}{
	{errNoEntry, problem{http.StatusNotFound, "no_entry"}},
	{store.ErrNotFound, problem{http.StatusNotFound, "not_found"}},
	{changes.ErrPlanGone, problem{http.StatusNotFound, "not_found"}},
	{store.ErrArchived, problem{http.StatusConflict, "archived"}},
	{store.ErrRegionLocked, problem{http.StatusConflict, "locked"}},
	{store.ErrMoved, problem{http.StatusConflict, "moved"}},
	{changes.ErrNoRegion, problem{http.StatusConflict, "no_region"}},
	{store.ErrKeys, problem{http.StatusConflict, "keys"}},
	{changes.ErrNotOpen, problem{http.StatusConflict, "not_open"}},
	{changes.ErrNothing, problem{http.StatusConflict, "nothing"}},
	{store.ErrUnavailable, problem{http.StatusServiceUnavailable, "store"}},
	{changes.ErrStopping, problem{http.StatusServiceUnavailable, "stopping"}},
	{auth.ErrBusy, problem{http.StatusServiceUnavailable, "busy"}},
	{errScope, problem{http.StatusForbidden, "scope"}},
	{errLink, problem{http.StatusGone, "link"}},
	{store.ErrLastAdmin, problem{http.StatusConflict, "last_admin"}},
	{store.ErrNotAllowed, problem{http.StatusForbidden, "not_admin"}},
	{errCrossOrigin, problem{http.StatusForbidden, "cross_origin"}},
	{errFormToken, problem{http.StatusForbidden, "form_token"}},
	{errTooLarge, problem{http.StatusRequestEntityTooLarge, "too_large"}},
	{errAddressLong, problem{http.StatusRequestURITooLong, "too_large"}},
	{errHeaders, problem{http.StatusRequestHeaderFieldsTooLarge, "too_large"}},
	{errInFlight, problem{http.StatusTooManyRequests, "in_flight"}},
}

func problemOf(err error) problem {
	var need *needError
	var many *store.TooManyError
	var web *echo.HTTPError
	for _, p := range knownProblems {
		if errors.Is(err, p.kind) {
			return p.problem
		}
	}
	switch {
	case errors.As(err, &many):
		return problem{http.StatusTooManyRequests, "too_many"}
	case errors.As(err, &need):
		return problem{http.StatusForbidden, "role"}
	case errors.As(err, &web):
		return webProblem(web)
	}
	return problem{http.StatusInternalServerError, "internal"}
}

func webProblem(err *echo.HTTPError) problem {
	var limit *http.MaxBytesError
	switch {
	case errors.As(err.Internal, &limit):
		return problem{http.StatusRequestEntityTooLarge, "too_large"}
	case err.Code == http.StatusNotFound:
		return problem{err.Code, "not_found"}
	case err.Code == http.StatusMethodNotAllowed:
		return problem{err.Code, "method"}
	case err.Code < 500:
		return problem{err.Code, "bad_request"}
	}
	return problem{err.Code, "internal"}
}

// handleError is the one place where an error becomes a page. Its cause is logged, never shown.
func (s *server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	if errors.Is(err, errSignIn) {
		s.askToSignIn(c)
		return
	}
	if errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil {
		c.Response().Status = statusGone // for the log: nobody is there to answer
		return
	}
	s.introduce(c)
	p := problemOf(err)
	if p.status >= 500 {
		s.Log.Error("request failed", "id", c.Get(idKey), "path", loggedPath(c), "err", err)
	}
	if p.status == http.StatusTooManyRequests {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(retryAfter))
	}
	if headOnly(c) {
		c.Response().Header().Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
		_ = c.NoContent(p.status)
		return
	}
	if err := s.renderProblem(c, err, p); err != nil {
		s.Log.Error("an error page could not be shown", "id", c.Get(idKey), "err", err)
		_ = c.String(p.status, "Callboard could not show this page. Its request id is "+c.Response().Header().Get(echo.HeaderXRequestID)+".")
	}
}

// introduce finds out who asks when no route did, so that the page is theirs. It fails to a page for nobody.
func (s *server) introduce(c echo.Context) {
	if c.Get(csrfKey) != nil {
		return
	}
	if sessionOf(c) != nil {
		s.keepFormToken(c) // the page has a form to sign out
		return
	}
	if c.Request().Method != http.MethodGet {
		return
	}
	nothing := func(echo.Context) error { return nil }
	if err := s.loadSession(s.formToken()(nothing))(c); err != nil {
		s.Log.Debug("nobody could be introduced", "err", err)
	}
}

func (s *server) renderProblem(c echo.Context, err error, p problem) error {
	giveBack := errors.Is(err, errFormToken) || p.passes(err) && s.sentForm(c) // before the page takes the form's token
	b := s.base(c, "problem."+p.id+".title")
	v := views.ProblemPage{Base: b, Headline: b.Title, Text: b.P.T("problem." + p.id + ".text")}
	if p.status >= 500 {
		v.ID = c.Response().Header().Get(echo.HeaderXRequestID)
	}
	var need *needError
	if errors.As(err, &need) {
		v.Text = b.P.T("problem.role.text", "Role", b.P.T("role."+string(need.need)))
	}
	var many *store.TooManyError
	if errors.As(err, &many) {
		v.Text = b.P.N("problem.too_many.wait", int(math.Ceil(many.Wait.Minutes())))
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(seconds(many.Wait)))
	}
	if giveBack {
		v.Again = s.again(c, b)
		if errors.Is(err, store.ErrUnavailable) {
			v.Text += " " + b.P.T("problem.store.again")
		}
	}
	if b.User != nil {
		v.Links = []views.Link{{Href: "/apps", Text: b.P.T("problem.to_apps")}}
	} else if v.Again == nil {
		v.Links = []views.Link{{Href: "/sign-in", Text: b.P.T("sign_in.title")}}
	}
	return s.render(c, p.status, views.Problem(v))
}

// passes tells whether the same request may succeed in a moment.
func (p problem) passes(err error) bool {
	return p.status == http.StatusServiceUnavailable || errors.Is(err, errInFlight)
}

// sentForm tells whether there is a form of ours to give back.
func (s *server) sentForm(c echo.Context) bool {
	return c.Request().Method == http.MethodPost && s.ownForm(c) && len(c.Request().PostForm) > 0
}

// secretFields are never sent back to the browser.
var secretFields = []string{"password", "current", "secret", "code", "token"}

// again gives a form back that was sent with an old token or at a bad moment: one more click sends it.
func (s *server) again(c echo.Context, b views.Base) *views.AgainForm {
	r := c.Request()
	form := &views.AgainForm{Action: r.URL.EscapedPath()}
	for _, name := range slices.Sorted(fieldNames(r.PostForm)) {
		if name == csrfField {
			continue
		}
		if slices.Contains(secretFields, name) {
			form.Secret = append(form.Secret, views.Field{Name: name, Value: b.P.T("field." + name)})
			continue
		}
		for _, value := range r.PostForm[name] {
			form.Fields = append(form.Fields, views.Field{Name: name, Value: value})
		}
	}
	return form
}

func fieldNames(form url.Values) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range form {
			if !yield(name) {
				return
			}
		}
	}
}

// askToSignIn sends a reader to the sign-in page and back afterwards; a post is refused, and its form kept if it is ours.
func (s *server) askToSignIn(c echo.Context) {
	r := c.Request()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		kept, err := s.keep(c)
		if err != nil {
			s.Log.Error("the sign-in page could not be shown", "err", err)
		}
		if kept && err == nil {
			return
		}
		if err := s.renderProblem(c, errSignIn, problem{http.StatusForbidden, "sign_in"}); err != nil {
			s.Log.Error("an error page could not be shown", "err", err)
		}
		return
	}
	target := "/sign-in"
	if r.URL.Path != "/" {
		target += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	_ = c.Redirect(http.StatusSeeOther, target)
}

// ownPath accepts only a path of this console, for where to go after signing in.
func ownPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || u.Path != path.Clean(u.Path) ||
		strings.ContainsFunc(next, func(c rune) bool { return c < 0x20 || c == '\\' || c == 0x7f }) || strings.HasPrefix(u.Path, "/sign-") {
		return "/apps"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}
