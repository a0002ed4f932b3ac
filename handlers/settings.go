package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"callboard/store"
	"callboard/views"
)

// settingsForm is an app's settings as typed.
type settingsForm struct {
	sdkappid, name, region, identifier, environment, secret, version string
}

func readSettings(c echo.Context) settingsForm {
	return settingsForm{sdkappid: strings.TrimSpace(c.FormValue("sdkappid")), name: strings.TrimSpace(c.FormValue("name")), region: c.FormValue("region"),
		identifier: strings.TrimSpace(c.FormValue("identifier")), environment: c.FormValue("environment"), secret: strings.TrimSpace(c.FormValue("secret")), version: c.FormValue("version")}
}

// usualRegion is chosen for a new app where there is such a region.
const usualRegion = "singapore"

func (s *server) showNewApp(c echo.Context) error {
	f := settingsForm{identifier: "administrator", environment: store.Production}
	if _, known := s.Regions.Find(usualRegion); known {
		f.region = usualRegion
	}
	return s.render(c, http.StatusOK, views.Settings(s.newAppPage(c, f)))
}

func (s *server) newAppPage(c echo.Context, f settingsForm) views.SettingsPage {
	v := s.settingsPage(s.base(c, "settings.add"), f)
	v.Nav, v.New, v.Action = "apps", true, "/apps/new"
	v.SecretNote = v.P.T("settings.secret_new")
	return v
}

func (s *server) settingsPage(b views.Base, f settingsForm) views.SettingsPage {
	v := views.SettingsPage{Base: b, SDKAppID: f.sdkappid, Name: f.name, Identifier: f.identifier, Version: f.version}
	v.Regions = s.regionOptions(b.P, f.region, "")
	v.Environments = options([]string{store.Production, store.Staging, store.Test}, f.environment, func(e string) string { return b.P.T("environment." + e) })
	return v
}

func (s *server) addApp(c echo.Context) error {
	f := readSettings(c)
	v := s.newAppPage(c, f)
	n := s.checkSettings(&v, f, true)
	if len(v.Errors) > 0 {
		return s.render(c, http.StatusUnprocessableEntity, views.Settings(v))
	}
	err := s.Store.AddApp(c.Request().Context(), actor(c), n)
	if errors.Is(err, store.ErrDuplicate) {
		v.SDKAppIDError = []string{v.P.T("settings.duplicate")}
		v.Errors = append(v.Errors, views.FieldError{Href: "#sdkappid", Text: v.SDKAppIDError[0]})
		return s.render(c, http.StatusConflict, views.Settings(v))
	}
	if err != nil {
		return err
	}
	return seeOther(c, views.AppPath(n.SDKAppID, "/callback"))
}

func (s *server) showSettings(c echo.Context) error {
	a, err := s.app(c)
	if err != nil {
		return err
	}
	v, err := s.editPage(c, a, settingsForm{name: a.Name, region: a.Region, identifier: a.Identifier, environment: a.Environment, version: itoa64(a.Version)})
	if err != nil {
		return err
	}
	if c.QueryParam("saved") == "1" {
		v.Notices = append(v.Notices, views.Notice{Level: "ok", Text: v.P.T("settings.saved")})
		if a.FailedAt != 0 {
			v.Notices = append(v.Notices, views.Notice{Level: "bad", Title: v.P.T("settings.unread"), Text: readFailure(v.P, a.FailedCode, a.FailedFault),
				Link: &views.Link{Href: views.AppPath(a.SDKAppID, "/callback"), Text: v.P.T("next.form")}})
		}
	}
	return s.render(c, http.StatusOK, views.Settings(v))
}

func (s *server) editPage(c echo.Context, a store.App, f settingsForm) (views.SettingsPage, error) {
	f.sdkappid = itoa64(a.SDKAppID)
	v := s.settingsPage(s.appBase(c, "settings.title", "settings", a), f)
	v.Action, v.Archived = views.AppPath(a.SDKAppID, "/settings"), a.ArchivedAt != 0
	v.SecretNote = v.P.T("settings.secret_set", "When", s.clockOf(c, v.P).stamp(a.SecretSetAt))
	v.Watched = a.Watched
	_, open, err := s.Store.AppWithOpen(c.Request().Context(), a.SDKAppID)
	if open != 0 {
		locked := v.P.T("settings.locked", "Number", open)
		v.RegionLocked, v.ArchiveLocked = locked, locked
	}
	return v, err
}

func (s *server) saveSettings(c echo.Context) error {
	a, err := s.app(c)
	if err != nil {
		return err
	}
	switch do := c.FormValue("do"); do {
	case "archive", "take-back":
		return s.archive(c, a, do == "archive")
	case "watch", "unwatch":
		return s.watch(c, a, do == "watch")
	}
	f := readSettings(c)
	v, err := s.editPage(c, a, f)
	if err != nil {
		return err
	}
	f.sdkappid = itoa64(a.SDKAppID)
	n := s.checkSettings(&v, f, false)
	if len(v.Errors) > 0 {
		return s.render(c, http.StatusUnprocessableEntity, views.Settings(v))
	}
	version, err := strconv.ParseInt(f.version, 10, 64)
	if err == nil {
		err = s.Store.UpdateApp(c.Request().Context(), actor(c), version, n)
	} else {
		err = store.ErrMoved
	}
	if errors.Is(err, store.ErrMoved) {
		// What the person typed stays; sending again saves it over what the other one saved, which is now said.
		v.Version = itoa64(a.Version)
		v.Notices = append(v.Notices, views.Notice{Level: "care", Title: v.P.T("settings.moved_title"), Text: v.P.T("settings.moved_text", "Name", a.Name,
			"Region", s.regionName(v.P, a.Region), "Identifier", a.Identifier, "Environment", v.P.T("environment."+a.Environment))})
		return s.render(c, http.StatusConflict, views.Settings(v))
	}
	if errors.Is(err, store.ErrRegionLocked) {
		v.RegionError = []string{v.P.T("settings.region_locked")}
		v.Errors = append(v.Errors, views.FieldError{Href: "#region", Text: v.RegionError[0]})
		return s.render(c, http.StatusConflict, views.Settings(v))
	}
	if err != nil {
		return err
	}
	s.tryCalls(c, a, n)
	return seeOther(c, views.AppPath(a.SDKAppID, "/settings"), "saved", "1")
}

func (s *server) archive(c echo.Context, a store.App, away bool) error {
	if err := s.Store.ArchiveApp(c.Request().Context(), actor(c), a.SDKAppID, away); err != nil {
		return err
	}
	return seeOther(c, "/apps")
}

func (s *server) watch(c echo.Context, a store.App, on bool) error {
	if err := s.Store.SetWatched(c.Request().Context(), actor(c), a.SDKAppID, on); err != nil {
		return err
	}
	return seeOther(c, views.AppPath(a.SDKAppID, "/settings"), "saved", "1")
}

// tryCalls reads the app when an edit changes how it is called, so that whoever saved sees at once whether that works.
func (s *server) tryCalls(c echo.Context, before store.App, n store.AppSettings) {
	if before.ArchivedAt != 0 || (n.Secret == "" && n.Identifier == before.Identifier && n.Region == before.Region) {
		return
	}
	if _, err := s.Changes.Look(c.Request().Context(), actor(c), before.SDKAppID); err != nil {
		s.Log.Error("an app could not be read after an edit", "sdkappid", before.SDKAppID, "err", err)
	}
}

// checkSettings judges what was typed, marks the mistakes in the page and returns what to store.
func (s *server) checkSettings(v *views.SettingsPage, f settingsForm, fresh bool) store.AppSettings {
	fault := func(list *[]string, field, id string) {
		text := v.P.T(id)
		*list = append(*list, text)
		v.Errors = append(v.Errors, views.FieldError{Href: "#" + field, Text: text})
	}
	id, err := strconv.ParseInt(f.sdkappid, 10, 64)
	if err != nil || id < 1 || id > 1<<32-1 || itoa64(id) != f.sdkappid {
		fault(&v.SDKAppIDError, "sdkappid", "settings.sdkappid_fault")
	}
	if n := utf8.RuneCountInString(f.name); n < 1 || n > 100 || !plain(f.name) {
		fault(&v.NameError, "name", "settings.name_fault")
	}
	if _, ok := s.Regions.Find(f.region); !ok {
		fault(&v.RegionError, "region", "settings.region_fault")
	}
	if f.environment != store.Production && f.environment != store.Staging && f.environment != store.Test {
		fault(&v.EnvError, "environment", "settings.environment_fault")
	}
	if len(f.identifier) < 1 || len(f.identifier) > 32 || strings.ContainsFunc(f.identifier, func(c rune) bool { return c < 0x20 || c > 0x7e }) {
		fault(&v.IdentifierError, "identifier", "settings.identifier_fault")
	}
	if fresh && f.secret == "" {
		fault(&v.SecretError, "secret", "settings.secret_missing")
	}
	if len(f.secret) > 256 || strings.ContainsFunc(f.secret, func(c rune) bool { return c < 0x21 || c > 0x7e }) {
		fault(&v.SecretError, "secret", "settings.secret_fault")
	}
	return store.AppSettings{SDKAppID: id, Name: f.name, Region: f.region, Identifier: f.identifier, Environment: f.environment, Secret: f.secret}
}

// plain tells whether a text is printable; what nobody sees is not.
func plain(text string) bool {
	return store.Visible(text) == text && !strings.ContainsFunc(text, func(c rune) bool {
		return c == utf8.RuneError || !unicode.IsPrint(c)
	})
}
