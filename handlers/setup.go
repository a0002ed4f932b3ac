package handlers

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

// setupForm is what somebody typed at /setup.
type setupForm struct{ code, username, password string }

// showSetup is open until the first person exists.
func (s *server) showSetup(c echo.Context) error {
	s.keepLanguage(c)
	some, err := s.Store.HasUsers(c.Request().Context())
	if err != nil {
		return err
	}
	if some {
		return seeOther(c, "/sign-in")
	}
	return s.render(c, http.StatusOK, views.Setup(views.SetupPage{Base: s.base(c, "setup.title")}))
}

// saveSetup makes the first administrator and signs them in. Of parallel posts one wins.
func (s *server) saveSetup(c echo.Context) error {
	ctx := c.Request().Context()
	some, err := s.Store.HasUsers(ctx)
	if err != nil {
		return err
	}
	if some {
		return seeOther(c, "/sign-in")
	}
	tries := addressCounter(c)
	if err := s.Store.ReserveTry(ctx, tries); err != nil {
		return err
	}
	form := setupForm{code: c.FormValue("code"), username: strings.TrimSpace(c.FormValue("username")), password: c.FormValue("password")}
	v := s.checkSetup(s.base(c, "setup.title"), form)
	if len(v.Errors) > 0 {
		return s.render(c, http.StatusUnprocessableEntity, views.Setup(v))
	}
	hash, err := auth.HashPassword(ctx, form.password)
	if err != nil {
		return err
	}
	a := store.Actor{Kind: store.PersonActor, Name: form.username, Role: store.Admin, Address: c.RealIP()}
	id, err := s.Store.FirstAdmin(ctx, a, store.NewUser{Name: form.username, Password: hash, Role: store.Admin})
	if errors.Is(err, store.ErrDuplicate) {
		return seeOther(c, "/sign-in")
	}
	if err != nil {
		return err
	}
	u := store.User{ID: id, Name: form.username, Role: store.Admin, Password: hash}
	if err := s.startSession(c, u); err != nil {
		return err
	}
	s.knowBrowser(c, u, []store.Counter{tries})
	return seeOther(c, "/apps")
}

func (s *server) checkSetup(b views.Base, f setupForm) views.SetupPage {
	v := views.SetupPage{Base: b, Code: store.Text(f.code, 40), Username: store.Text(f.username, 64)}
	if subtle.ConstantTimeCompare([]byte(auth.FoldCode(f.code)), []byte(auth.FoldCode(s.SetupCode))) != 1 || s.SetupCode == "" {
		v.CodeError = []string{b.P.T("setup.code_wrong")}
		v.Errors = append(v.Errors, views.FieldError{Href: "#code", Text: b.P.T("setup.code_wrong")})
	}
	if text := nameFault(b.P, f.username); text != "" {
		v.UsernameError = []string{text}
		v.Errors = append(v.Errors, views.FieldError{Href: "#username", Text: text})
	}
	if text := passwordFault(b.P, f.password, f.username); text != "" {
		v.PasswordError = []string{text}
		v.Errors = append(v.Errors, views.FieldError{Href: "#password", Text: text})
	}
	return v
}

// nameFault checks a sign-in name: 1 to 64 printable characters without blanks.
func nameFault(p *i18n.Printer, name string) string {
	n := utf8.RuneCountInString(name)
	odd := func(c rune) bool { return !unicode.IsPrint(c) || unicode.IsSpace(c) || c == utf8.RuneError }
	if n < 1 || n > 64 || strings.ContainsFunc(name, odd) {
		return p.T("user.name_fault")
	}
	return ""
}

// passwordFault checks a password that somebody chose for the person of that name.
func passwordFault(p *i18n.Printer, password, name string) string {
	switch auth.PasswordFault(password, name) {
	case auth.PasswordLength:
		return p.T("user.password_fault", "Min", auth.MinPassword, "Max", auth.MaxPassword)
	case auth.PasswordCommon:
		return p.T("password.common")
	case auth.PasswordIsName:
		return p.T("password.is_name")
	}
	return ""
}
