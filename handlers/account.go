package handlers

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

// zones are the time zones that the account page offers.
var zones = []string{"UTC", "Asia/Shanghai", "Asia/Hong_Kong", "Asia/Singapore", "Asia/Tokyo", "Asia/Seoul", "Asia/Jakarta", "Asia/Kolkata", "Asia/Dubai",
	"Asia/Riyadh", "Europe/Berlin", "Europe/London", "America/Sao_Paulo", "America/New_York", "America/Chicago", "America/Los_Angeles", "Australia/Sydney"}

func (s *server) showAccount(c echo.Context) error {
	v, err := s.accountPage(c)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, views.Account(v))
}

// shortcutsOff is what a person chose for whom keys alone do nothing.
const shortcutsOff = "off"

func (s *server) accountPage(c echo.Context) (views.AccountPage, error) {
	u := sessionOf(c).User
	v := views.AccountPage{Base: s.base(c, "account.title")}
	v.Languages = options(append([]string{""}, i18n.Languages...), u.Language, func(l string) string { return v.P.T("language." + orSystem(l)) })
	v.Themes = options([]string{"", "light", "dark"}, u.Theme, func(t string) string { return v.P.T("theme." + orSystem(t)) })
	v.Shortcuts = options([]string{"", shortcutsOff}, u.Shortcuts, func(k string) string { return v.P.T("shortcuts." + orElse(k, "on")) })
	v.Zones = options(append([]string{""}, zones...), u.TimeZone, func(z string) string {
		if z == "" {
			return v.P.T("account.zone_default", "Zone", s.Zone.String())
		}
		return z
	})
	if c.QueryParam("saved") == "1" {
		v.Notices = append(v.Notices, views.Notice{Level: "ok", Text: v.P.T("account.saved")})
	}
	list, err := s.Store.SessionsOf(c.Request().Context(), u.ID, s.Sessions)
	k := s.clockOf(c, v.P)
	for _, x := range list {
		v.Sessions = append(v.Sessions, views.SessionRow{ID: x.ID, Address: x.Address, Browser: browserName(v.P, x.Browser), Started: k.age(x.StartedAt), Used: k.age(x.UsedAt), Here: x.ID == sessionOf(c).ID})
	}
	return v, err
}

// browsers are told by what only they say, the more special first: most name others that they resemble.
var browsers = []struct{ mark, name string }{{"MicroMessenger/", "WeChat"}, {"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}

// systems are told likewise.
var systems = []struct{ mark, name string }{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}}

// browserName shortens what a browser says of itself to two names that people know; what has none of them stays as it is.
func browserName(p *i18n.Printer, agent string) string {
	var parts []string
	for _, list := range [][]struct{ mark, name string }{browsers, systems} {
		for _, x := range list {
			if strings.Contains(agent, x.mark) {
				parts = append(parts, x.name)
				break
			}
		}
	}
	return orElse(strings.Join(parts, " · "), orElse(store.Text(agent, 60), p.T("account.no_browser")))
}

func orSystem(value string) string {
	if value == "" {
		return "system"
	}
	return value
}

// options makes a list of choices.
func options(values []string, chosen string, text func(string) string) []views.Option {
	var list []views.Option
	for _, v := range values {
		list = append(list, views.Option{Value: v, Text: text(v), Selected: v == chosen})
	}
	return list
}

func (s *server) saveAccount(c echo.Context) error {
	switch c.FormValue("do") {
	case "password":
		return s.changePassword(c)
	case "end", "end_others":
		return s.endSessions(c)
	}
	p := store.Preferences{Language: c.FormValue("language"), Theme: c.FormValue("theme"), TimeZone: c.FormValue("time_zone"), Shortcuts: c.FormValue("shortcuts")}
	if !slices.Contains(append([]string{""}, i18n.Languages...), p.Language) || !slices.Contains([]string{"", "light", "dark"}, p.Theme) ||
		!slices.Contains([]string{"", shortcutsOff}, p.Shortcuts) {
		return echo.NewHTTPError(http.StatusBadRequest)
	}
	if _, err := time.LoadLocation(p.TimeZone); err != nil || (p.TimeZone != "" && !slices.Contains(zones, p.TimeZone)) {
		return echo.NewHTTPError(http.StatusBadRequest)
	}
	if err := s.Store.SetPreferences(c.Request().Context(), actor(c), sessionOf(c).User.ID, p); err != nil {
		return err
	}
	// The pages before signing in look the same on this browser.
	s.setPlainCookie(c, themeCookie, p.Theme)
	s.setPlainCookie(c, languageCookie, p.Language)
	return seeOther(c, "/account", "saved", "1")
}

// endSessions ends one of the person's own sessions, or all but this one.
func (s *server) endSessions(c echo.Context) error {
	ctx, here := c.Request().Context(), sessionOf(c).ID
	var err error
	switch id := c.FormValue("session"); {
	case c.FormValue("do") == "end_others":
		err = s.Store.EndOtherSessions(ctx, actor(c), here)
	case id == here:
		return s.signOut(c)
	default:
		err = s.Store.EndOwnSession(ctx, actor(c), id)
	}
	if err != nil {
		return err
	}
	return seeOther(c, "/account", "saved", "1")
}

// changePassword ends every other session of the person, and what their other browsers are known for.
func (s *server) changePassword(c echo.Context) error {
	ctx, session := c.Request().Context(), sessionOf(c)
	tries := passwordCounter(session.User)
	if err := s.Store.ReserveTry(ctx, tries); err != nil {
		return err
	}
	ok, err := auth.CheckPassword(ctx, c.FormValue("current"), session.User.Password)
	if err != nil {
		return err
	}
	if ok {
		err = s.Store.GiveTriesBack(ctx, tries)
	}
	if err != nil {
		return err
	}
	v, err := s.accountPage(c)
	if err != nil {
		return err
	}
	if !ok {
		v.CurrentErr = []string{v.P.T("account.current_wrong")}
		v.Errors = append(v.Errors, views.FieldError{Href: "#current", Text: v.CurrentErr[0]})
	}
	if text := passwordFault(v.P, c.FormValue("password"), session.User.Name); text != "" {
		v.NewErr = []string{text}
		v.Errors = append(v.Errors, views.FieldError{Href: "#password", Text: text})
	}
	if len(v.Errors) > 0 {
		return s.render(c, http.StatusUnprocessableEntity, views.Account(v))
	}
	hash, err := auth.HashPassword(ctx, c.FormValue("password"))
	if err != nil {
		return err
	}
	if err := s.Store.SetPassword(ctx, actor(c), session.User.ID, session.User.Password, hash, session.ID); err != nil {
		return err
	}
	s.knowBrowser(c, session.User, nil)
	return seeOther(c, "/account", "saved", "1")
}
