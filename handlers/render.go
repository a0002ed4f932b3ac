package handlers

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/i18n"
	"callboard/static"
	"callboard/store"
	"callboard/views"
)

// render writes a page into a buffer first, so that a fault in it can still become an error page.
func (s *server) render(c echo.Context, status int, page templ.Component) error {
	buffer := templ.GetBuffer()
	defer templ.ReleaseBuffer(buffer)
	if err := page.Render(c.Request().Context(), buffer); err != nil {
		return err
	}
	return c.HTMLBlob(status, buffer.Bytes())
}

var assets = views.Assets{
	Tabler: static.Path("tabler.min.css"), Style: static.Path("callboard.css"), Script: static.Path("callboard.js"),
	HTMX: static.Path("htmx.min.js"), Icons: static.Path("icons.svg"), Favicon: static.Path("favicon.svg"),
}

// base makes what every page has; title is the id of its title.
func (s *server) base(c echo.Context, title string) views.Base {
	p := s.printer(c)
	b := views.Base{P: p, Assets: assets, Written: &s.written, Title: p.T(title), Sandbox: s.Sandbox, Here: c.Request().URL.RequestURI()}
	b.CSRF, _ = c.Get(csrfKey).(string)
	b.Theme = s.theme(c)
	if v := sessionOf(c); v != nil {
		b.User = &views.User{Name: v.User.Name, Role: p.T("role." + v.User.Role), Admin: auth.Admin.Allows(v.User.Role), Keyless: v.User.Shortcuts == shortcutsOff}
		n := s.attentionNow(c.Request().Context())
		b.Unknown, b.Drifted = n.Unknown, n.Drifted
	}
	return b
}

// appBase is base with the bar and the tabs of an app.
func (s *server) appBase(c echo.Context, title, tab string, a store.App) views.Base {
	b := s.base(c, title)
	b.Nav = "apps"
	b.App = &views.AppHead{ID: itoa64(a.SDKAppID), Name: a.Name, Region: s.regionName(b.P, a.Region), Environment: a.Environment,
		EnvWord: b.P.T("environment." + a.Environment), Tab: tab, Settings: b.User != nil && b.User.Admin, Archived: a.ArchivedAt != 0}
	b.Title += " · " + a.Name
	return b
}

// attentionNow counts what the header shows. A page without the counts beats no page.
func (s *server) attentionNow(ctx context.Context) store.Attention {
	s.attention.mu.Lock()
	defer s.attention.mu.Unlock()
	if time.Since(s.attention.at) < attentionLife {
		return s.attention.last
	}
	// Set first, so that a database that does not answer is not asked again by the next page.
	s.attention.at = time.Now()
	// What is kept is for all, so one who asks and goes away must not decide it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attentionWait)
	defer cancel()
	n, err := s.Store.Attention(ctx)
	if err != nil {
		s.Log.Error("the header's counts could not be read", "err", err)
		return s.attention.last
	}
	s.attention.last = n
	return n
}

const (
	languageCookie = "callboard_language"
	themeCookie    = "callboard_theme"
)

// printer chooses the language: the person's own, else what this browser chose before signing in, else its wishes.
func (s *server) printer(c echo.Context) *i18n.Printer {
	chosen := c.QueryParam("language")
	if v := sessionOf(c); v != nil {
		chosen = v.User.Language
	}
	if chosen == "" {
		if k, err := c.Cookie(languageCookie); err == nil {
			chosen = k.Value
		}
	}
	return s.Texts.Printer(s.Texts.Match(chosen, c.Request().Header.Get("Accept-Language")))
}

// keepLanguage remembers a language that was chosen before signing in.
func (s *server) keepLanguage(c echo.Context) {
	if chosen := c.QueryParam("language"); chosen != "" && s.Texts.Match(chosen, "") == chosen {
		s.setPlainCookie(c, languageCookie, chosen)
	}
}

func (s *server) setPlainCookie(c echo.Context, name, value string) {
	c.SetCookie(&http.Cookie{Name: name, Value: value, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode}) //nolint:gosec // Secure follows the public address; plain http is for loopback
}

func (s *server) theme(c echo.Context) string {
	chosen := ""
	if v := sessionOf(c); v != nil {
		chosen = v.User.Theme
	} else if k, err := c.Cookie(themeCookie); err == nil {
		chosen = k.Value
	}
	if chosen == "light" || chosen == "dark" {
		return chosen
	}
	return ""
}

// regionName is a region's name in the page's language; an extra endpoint keeps its own.
func (s *server) regionName(p *i18n.Printer, name string) string {
	if r, ok := s.Regions.Find(name); ok && !r.Extra {
		return p.T("region." + name)
	}
	return name
}

// seeOther answers a post with the address of the page that shows what came of it.
func seeOther(c echo.Context, path string, query ...string) error {
	if len(query) == 2 {
		path += "?" + url.Values{query[0]: {query[1]}}.Encode()
	}
	return c.Redirect(http.StatusSeeOther, path)
}
