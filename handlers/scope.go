package handlers

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/store"
)

// mayWrite tells whether the person of a request may change an app's callback: an operator, and of limited ones only for
// the apps that an administrator chose.
func mayWrite(c echo.Context, sdkappid int64) bool {
	return may(c, auth.Operator) && sessionOf(c).User.Covers(sdkappid)
}

// requireScope refuses what a limited operator would write elsewhere. A writing route that names no app is refused to them
// altogether, unless it asks for less than an operator.
func (s *server) requireScope(need auth.Need) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			writes := c.Request().Method != http.MethodGet && c.Request().Method != http.MethodHead
			if v := sessionOf(c); v == nil || !v.User.Limited || !writes || need.Allows("support") {
				return next(c)
			}
			id, err := s.appOfRoute(c)
			if err != nil {
				return err
			}
			if !mayWrite(c, id) {
				s.noteRefusal(c)
				return errScope
			}
			return next(c)
		}
	}
}

// appOfRoute finds the app that a route is about, by its own number or by that of an entry; 0 when it names none.
func (s *server) appOfRoute(c echo.Context) (int64, error) {
	if text := c.Param("sdkappid"); text != "" {
		id, _ := strconv.ParseInt(text, 10, 64) // what is no number is no app of anybody's
		return id, nil
	}
	number, err := strconv.ParseInt(c.Param("number"), 10, 64)
	if err != nil {
		return 0, nil //nolint:nilerr // as above
	}
	e, err := s.Store.Change(c.Request().Context(), number)
	if errors.Is(err, store.ErrNotFound) {
		return 0, errNoEntry
	}
	return e.SDKAppID, err
}
