package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/store"
	"callboard/views"
)

// invite adds a person and leads to their page, which shows the link once.
func (s *server) invite(c echo.Context) error {
	f, name := readRights(c), strings.TrimSpace(c.FormValue("username"))
	v, err := s.invitePage(c, name, f)
	if err != nil {
		return err
	}
	text, err := s.newNameFault(c, v.P, name)
	if err != nil {
		return err
	}
	if text != "" {
		v.NameError = append(v.NameError, text)
	}
	if err := checkRights(&v, f); err != nil {
		return err
	}
	var id int64
	token, link := newLink()
	if len(v.NameError)+len(v.Errors) == 0 {
		id, err = s.Store.Invite(c.Request().Context(), actor(c), store.Invitation{Name: name, Rights: f.rights(), Link: link})
		if errors.Is(err, store.ErrDuplicate) {
			v.NameError, err = append(v.NameError, v.P.T("user.taken")), nil
		}
		if err != nil {
			return err
		}
	}
	for _, text := range v.NameError {
		v.Errors = append([]views.FieldError{{Href: "#username", Text: text}}, v.Errors...)
	}
	if len(v.Errors) > 0 {
		return s.render(c, http.StatusUnprocessableEntity, views.EditUser(v))
	}
	return s.handOver(c, id, token)
}

// newLink draws the token of a link, and what the database gets of it.
func newLink() (token string, link store.Link) {
	token = auth.NewToken()
	return token, store.Link{ID: auth.Digest(token), Life: auth.LinkLife}
}

// handOver lets the next page show a link once: the token travels in an encrypted cookie and is nowhere afterwards.
func (s *server) handOver(c echo.Context, id int64, token string) error {
	if err := s.Cookies.Put(c.Response(), c.Request(), userPath(id), token); err != nil {
		return err
	}
	return seeOther(c, userPath(id))
}

// user finds the person of a route.
func (s *server) user(c echo.Context) (store.Person, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil {
		return store.Person{}, store.ErrNotFound
	}
	return s.Store.Person(c.Request().Context(), id, s.Sessions)
}

// showUser shows a person, and a link that was just made.
func (s *server) showUser(c echo.Context) error {
	x, err := s.user(c)
	if err != nil {
		return err
	}
	v, err := s.userPage(c, x, formOfRights(x.User))
	if err != nil {
		return err
	}
	if headOnly(c) {
		return s.render(c, http.StatusOK, views.EditUser(v)) // the link waits for who reads it
	}
	if token := s.Cookies.Take(c.Response(), c.Request(), userPath(x.ID)); token != "" {
		v.Once = &views.OnceLink{Title: v.P.T("user.link_title", "Name", x.Name), Text: v.P.T("user.link_text"), Address: s.origin(c) + "/welcome/" + token}
	}
	if c.QueryParam("saved") == "1" {
		v.Notices = append(v.Notices, views.Notice{Level: "ok", Text: v.P.T("account.saved")})
	}
	return s.render(c, http.StatusOK, views.EditUser(v))
}

func formOfRights(u store.User) rightsForm {
	f := rightsForm{role: u.Role, scope: "all", apps: u.Apps}
	if u.Limited {
		f.scope = "chosen"
	}
	return f
}

func (s *server) userPage(c echo.Context, x store.Person, f rightsForm) (views.UserPage, error) {
	v := views.UserPage{Base: s.base(c, "users.title"), Action: userPath(x.ID), Username: x.Name, Disabled: x.DisabledAt != 0, Invited: x.Invited(),
		You: x.ID == sessionOf(c).User.ID, Linked: x.LinkEnds != 0}
	v.Nav, v.Title = "users", x.Name
	k := s.clockOf(c, v.P)
	state := userState(v.P, x)
	v.Facts = []views.Fact{{Name: v.P.T("users.state"), State: &state}, {Name: v.P.T("user.added"), Text: k.stamp(x.CreatedAt)}}
	if x.LinkEnds != 0 {
		v.Facts = append(v.Facts, views.Fact{Name: v.P.T("user.link_ends"), Text: k.stamp(x.LinkEnds)})
	}
	seen := v.P.T("users.never")
	if x.SeenAt != 0 {
		seen = k.stamp(x.SeenAt)
	}
	v.Facts = append(v.Facts, views.Fact{Name: v.P.T("user.seen"), Text: seen}, views.Fact{Name: v.P.T("users.sessions"), Text: itoa64(int64(x.Sessions))})
	return v, s.fillRights(c, &v, f)
}

// actOnUser carries out what an administrator decides about a person.
func (s *server) actOnUser(c echo.Context) error {
	x, err := s.user(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	switch c.FormValue("do") {
	case "rights":
		return s.saveRights(c, x)
	case "link":
		if x.ID == sessionOf(c).User.ID {
			// Who is signed in changes the own password on the account page, and would lock themselves out here.
			return echo.NewHTTPError(http.StatusBadRequest)
		}
		token, link := newLink()
		if err := s.Store.AddLink(ctx, actor(c), x.ID, link); err != nil {
			return err
		}
		return s.handOver(c, x.ID, token)
	case "withdraw":
		if err := s.Store.Withdraw(ctx, actor(c), x.ID); err != nil {
			return err
		}
		return seeOther(c, "/users")
	case "disable", "enable":
		if err := s.Store.SetDisabled(ctx, actor(c), x.ID, c.FormValue("do") == "disable"); err != nil {
			return err
		}
		return seeOther(c, userPath(x.ID), "saved", "1")
	}
	return echo.NewHTTPError(http.StatusBadRequest)
}

func (s *server) saveRights(c echo.Context, x store.Person) error {
	f := readRights(c)
	v, err := s.userPage(c, x, f)
	if err != nil {
		return err
	}
	if err := checkRights(&v, f); err != nil {
		return err
	}
	if len(v.Errors) > 0 {
		return s.render(c, http.StatusUnprocessableEntity, views.EditUser(v))
	}
	if err := s.Store.SetRights(c.Request().Context(), actor(c), x.ID, f.rights()); err != nil {
		return err
	}
	return seeOther(c, userPath(x.ID), "saved", "1")
}

// origin is where browsers reach the console: as its owner said, or else as this request did.
func (s *server) origin(c echo.Context) string {
	if s.PublicURL != nil {
		return s.PublicURL.Scheme + "://" + s.PublicURL.Host
	}
	return "http://" + c.Request().Host
}
