package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/store"
	"callboard/views"
)

// showSignIn shows /sign-in, or leads to /setup while nobody exists.
func (s *server) showSignIn(c echo.Context) error {
	s.keepLanguage(c)
	if sessionOf(c) != nil {
		return seeOther(c, ownPath(c.QueryParam("next")))
	}
	some, err := s.Store.HasUsers(c.Request().Context())
	if err != nil {
		return err
	}
	if !some {
		return seeOther(c, "/setup")
	}
	return s.render(c, http.StatusOK, views.SignIn(views.SignInPage{Base: s.base(c, "sign_in.title"), Next: ownPath(c.QueryParam("next"))}))
}

// signIn answers the same for a name nobody has and for a wrong password. The try is counted before anything is looked up
// or evaluated, so that it counts whatever happens afterwards.
func (s *server) signIn(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), 5*time.Second)
	defer cancel()
	name, next := strings.TrimSpace(c.FormValue("username")), ownPath(c.FormValue("next"))
	counters, err := s.signInCounters(c, name)
	if err != nil {
		return err
	}
	if err := s.Store.ReserveTry(ctx, counters...); err != nil {
		return err
	}
	user, err := s.Store.UserByName(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	hash := ""
	if user.CanSignIn() {
		hash = user.Password
	}
	ok, err := auth.CheckPassword(ctx, c.FormValue("password"), hash)
	if err != nil {
		return err
	}
	a := store.Actor{Kind: store.PersonActor, Address: c.RealIP()}
	if !ok {
		if err := s.Store.SignInFailed(ctx, a, name); err != nil {
			return err
		}
		v := views.SignInPage{Base: s.base(c, "sign_in.title"), Username: store.Text(name, 64), Next: next, Kept: keptOf(c)}
		v.Error = v.P.T("sign_in.wrong")
		return s.render(c, http.StatusUnprocessableEntity, views.SignIn(v))
	}
	if err := s.startSession(c, user); err != nil {
		return err
	}
	s.knowBrowser(c, user, counters)
	if given, err := s.giveBack(c); given || err != nil {
		return err
	}
	return seeOther(c, next)
}

// startSession gives the browser a new id and a new form token; what it brought is ended.
func (s *server) startSession(c echo.Context, u store.User) error {
	ctx := c.Request().Context()
	a := store.Actor{Kind: store.PersonActor, UserID: u.ID, Name: u.Name, Role: u.Role, Address: c.RealIP()}
	if old := sessionOf(c); old != nil {
		if err := s.Store.EndSession(ctx, actor(c), old.ID); err != nil {
			return err
		}
	}
	id, err := s.Cookies.Start(c.Response(), c.Request())
	if err != nil {
		return err
	}
	if err := s.Store.StartSession(ctx, a, u.Password, id, c.Request().UserAgent()); err != nil {
		return err
	}
	s.renewFormToken(c)
	return nil
}

func (s *server) signOut(c echo.Context) error {
	if err := s.Store.EndSession(c.Request().Context(), actor(c), sessionOf(c).ID); err != nil {
		return err
	}
	if err := s.Cookies.End(c.Response(), c.Request()); err != nil {
		return err
	}
	s.renewFormToken(c)
	return seeOther(c, "/sign-in")
}
