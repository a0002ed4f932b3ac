package handlers

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/store"
	"callboard/views"
)

// welcomePath is where the links for a password lead; what follows it is secret.
const welcomePath = "/welcome/"

// loggedPath is a request's path without the token of a link.
func loggedPath(c echo.Context) string {
	path := c.Request().URL.Path
	// A link that was mistyped still holds the token.
	if strings.Contains(strings.ToLower(path), welcomePath) {
		return welcomePath + "…"
	}
	return path
}

// linkOwner finds whose link a route holds. A link that was used, has expired or never was is errLink.
func (s *server) linkOwner(c echo.Context) (store.User, error) {
	u, err := s.Store.LinkOwner(c.Request().Context(), auth.Digest(c.Param("token")))
	if errors.Is(err, store.ErrNotFound) {
		err = errLink
	}
	return u, err
}

func (s *server) welcomePage(c echo.Context, u store.User) views.WelcomePage {
	v := views.WelcomePage{Base: s.base(c, "welcome.title"), Action: welcomePath + c.Param("token"), Username: u.Name}
	v.Text = v.P.T("welcome.text")
	if u.Password != "" {
		v.Text = v.P.T("welcome.reset_text")
	}
	return v
}

// showWelcome asks the owner of a link for a password. Looking uses nothing up.
func (s *server) showWelcome(c echo.Context) error {
	s.keepLanguage(c)
	u, err := s.linkOwner(c)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, views.Welcome(s.welcomePage(c, u)))
}

// saveWelcome sets the password and signs the owner in. Of parallel posts one wins.
func (s *server) saveWelcome(c echo.Context) error {
	ctx := c.Request().Context()
	u, err := s.linkOwner(c)
	if err != nil {
		return err
	}
	v := s.welcomePage(c, u)
	if text := passwordFault(v.P, c.FormValue("password"), u.Name); text != "" {
		v.PasswordError = []string{text}
		v.Errors = []views.FieldError{{Href: "#password", Text: text}}
		return s.render(c, http.StatusUnprocessableEntity, views.Welcome(v))
	}
	if u.Password, err = auth.HashPassword(ctx, c.FormValue("password")); err != nil {
		return err
	}
	a := store.Actor{Kind: store.PersonActor, UserID: u.ID, Name: u.Name, Role: u.Role, Address: c.RealIP()}
	err = s.Store.UseLink(ctx, a, auth.Digest(c.Param("token")), u.Password)
	if errors.Is(err, store.ErrNotFound) {
		return errLink
	}
	if err != nil {
		return err
	}
	if err := s.startSession(c, u); err != nil {
		return err
	}
	s.knowBrowser(c, u, nil, accountCounter(u.Name).Key) // what was guessed at was the old password
	return seeOther(c, "/apps")
}
