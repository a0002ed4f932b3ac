package handlers

import (
	"net/http"
	"slices"
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
	return s.render(c, http.StatusOK, views.Account(s.accountPage(c)))
}

func (s *server) accountPage(c echo.Context) views.AccountPage {
	u := sessionOf(c).User
	v := views.AccountPage{Base: s.base(c, "account.title")}
	v.Languages = options(append([]string{""}, i18n.Languages...), u.Language, func(l string) string { return v.P.T("language." + orSystem(l)) })
	v.Themes = options([]string{"", "light", "dark"}, u.Theme, func(t string) string { return v.P.T("theme." + orSystem(t)) })
	v.Zones = options(append([]string{""}, zones...), u.TimeZone, func(z string) string {
		if z == "" {
			return v.P.T("account.zone_default", "Zone", s.Zone.String())
		}
		return z
	})
	if c.QueryParam("saved") == "1" {
		v.Notices = append(v.Notices, views.Notice{Level: "ok", Text: v.P.T("account.saved")})
	}
	return v
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
	if c.FormValue("do") == "password" {
		return s.changePassword(c)
	}
	p := store.Preferences{Language: c.FormValue("language"), Theme: c.FormValue("theme"), TimeZone: c.FormValue("time_zone")}
	if !slices.Contains(append([]string{""}, i18n.Languages...), p.Language) || !slices.Contains([]string{"", "light", "dark"}, p.Theme) {
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

// changePassword ends every other session of the person.
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
	v := s.accountPage(c)
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
	if err := s.Store.SetPassword(ctx, actor(c), session.User.ID, hash, session.ID); err != nil {
		return err
	}
	return seeOther(c, "/account", "saved", "1")
}
