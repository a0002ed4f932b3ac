package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

// roles are offered from least to most.
var roles = []string{store.Support, store.Operator, store.Admin}

func userPath(id int64) string { return "/users/" + itoa64(id) }

// showUsers lists everybody who may sign in.
func (s *server) showUsers(c echo.Context) error {
	ctx := c.Request().Context()
	people, err := s.Store.People(ctx, s.Sessions)
	if err != nil {
		return err
	}
	names, err := s.appNames(c)
	if err != nil {
		return err
	}
	v := views.UsersPage{Base: s.base(c, "users.title")}
	v.Nav = "users"
	k := s.clockOf(c, v.P)
	admins, seen := 0, []int64{}
	for _, x := range people {
		v.Rows = append(v.Rows, userRow(k, x, names, x.ID == sessionOf(c).User.ID))
		if x.Role == store.Admin && x.CanSignIn() {
			admins++
		}
		if x.SeenAt != 0 {
			seen = append(seen, x.SeenAt)
		}
	}
	v.SeenHead = v.P.T("users.seen", "Zone", k.zoneName(k.now.UnixMilli(), seen...))
	v.Summary = v.P.N("users.summary", len(people)) + v.P.T("join.comma") + v.P.N("users.admins", admins)
	if admins == 1 {
		v.OneAdmin = v.P.T("users.one_admin_text")
	}
	return s.render(c, http.StatusOK, views.Users(v))
}

func userRow(k clock, x store.Person, names map[int64]string, you bool) views.UserRow {
	r := views.UserRow{Name: x.Name, Href: userPath(x.ID), You: you, Role: k.p.T("role." + x.Role), Apps: reach(k.p, x.User, names), State: userState(k.p, x),
		Seen: views.Time{Text: k.p.T("users.never")}, Sessions: itoa64(int64(x.Sessions))}
	if x.SeenAt != 0 {
		r.Seen = k.time(x.SeenAt)
	}
	return r
}

// reach says which apps a person may change.
func reach(p *i18n.Printer, u store.User, names map[int64]string) string {
	switch {
	case u.Role == store.Support:
		return p.T("users.reads")
	case !u.Limited:
		return p.T("users.all_apps")
	}
	var list []string
	for _, id := range u.Apps {
		list = append(list, names[id])
	}
	return orElse(join(p, list), p.T("word.none"))
}

// userState is the state of a person: disabled, invited, waiting for a new password, or active.
func userState(p *i18n.Printer, x store.Person) views.State {
	switch {
	case x.DisabledAt != 0:
		return views.State{Class: "quiet", Icon: "user-off", Text: p.T("user_state.disabled")}
	case x.Invited() && x.LinkEnds == 0:
		return views.State{Class: "care", Icon: "hourglass", Text: p.T("user_state.expired")}
	case x.Invited():
		return views.State{Class: "unsure", Icon: "hourglass", Text: p.T("user_state.invited")}
	case x.Reset():
		return views.State{Class: "care", Icon: "hourglass", Text: p.T("user_state.reset")}
	}
	return views.State{Class: "ok", Icon: "circle-check", Text: p.T("user_state.active")}
}

// apps lists all apps, archived ones last.
func (s *server) apps(c echo.Context) ([]store.AppRow, error) {
	list, err := s.Store.Apps(c.Request().Context(), false)
	if err != nil {
		return nil, err
	}
	archived, err := s.Store.Apps(c.Request().Context(), true)
	return append(list, archived...), err
}

func (s *server) appNames(c echo.Context) (map[int64]string, error) {
	list, err := s.apps(c)
	return appLabels(s.printer(c), list), err
}

// appLabels are the names of apps; those that several share are told apart by environment and SDKAppID.
func appLabels(p *i18n.Printer, list []store.AppRow) map[int64]string {
	count, names := map[string]int{}, map[int64]string{}
	for _, a := range list {
		count[store.Key(a.Name)]++
	}
	for _, a := range list {
		names[a.SDKAppID] = a.Name
		if count[store.Key(a.Name)] > 1 {
			names[a.SDKAppID] = p.T("users.same_name", "Name", a.Name, "Environment", p.T("environment."+a.Environment), "ID", itoa64(a.SDKAppID))
		}
	}
	return names
}

// rightsForm is what somebody chose for a person.
type rightsForm struct {
	role, scope string
	apps        []int64
}

func readRights(c echo.Context) rightsForm {
	f := rightsForm{role: c.FormValue("role"), scope: c.FormValue("scope")}
	for _, text := range c.Request().PostForm["app"] {
		id, _ := strconv.ParseInt(text, 10, 64) // what is no number is no app, which the store refuses
		f.apps = append(f.apps, id)
	}
	return f
}

// rights are what the form asks for; only an operator's writing can be limited.
func (f rightsForm) rights() store.Rights {
	r := store.Rights{Role: f.role}
	if f.role == store.Operator && f.scope == "chosen" {
		r.Limited, r.Apps = true, f.apps
	}
	return r
}

// checkRights marks what is wrong in the form.
func checkRights(v *views.UserPage, f rightsForm) error {
	if !slices.Contains(roles, f.role) || !slices.Contains([]string{"", "all", "chosen"}, f.scope) {
		return echo.NewHTTPError(http.StatusBadRequest)
	}
	if r := f.rights(); r.Limited && len(r.Apps) == 0 {
		v.Rights.AppsError = []string{v.P.T("user.scope_empty")}
		v.Errors = append(v.Errors, views.FieldError{Href: "#scope", Text: v.Rights.AppsError[0]})
	}
	return nil
}

// fillRights shows a form's choices.
func (s *server) fillRights(c echo.Context, v *views.UserPage, f rightsForm) error {
	list, err := s.apps(c)
	if err != nil {
		return err
	}
	for _, r := range roles {
		v.Rights.Roles = append(v.Rights.Roles, views.RoleOption{Option: views.Option{Value: r, Text: v.P.T("role." + r), Selected: r == f.role}, Help: v.P.T("role_help." + r)})
	}
	v.Rights.Limited = f.scope == "chosen"
	for _, a := range list {
		v.Rights.Apps = append(v.Rights.Apps, views.AppOption{Option: views.Option{Value: itoa64(a.SDKAppID), Text: a.Name, Selected: slices.Contains(f.apps, a.SDKAppID)},
			Env: views.Env{Class: a.Environment, Word: v.P.T("environment." + a.Environment)}})
	}
	return nil
}

func (s *server) invitePage(c echo.Context, name string, f rightsForm) (views.UserPage, error) {
	v := views.UserPage{Base: s.base(c, "users.invite"), New: true, Action: "/users/new", Username: store.Text(strings.TrimSpace(name), 200)}
	v.Nav = "users"
	return v, s.fillRights(c, &v, f)
}

// showInvite shows the form that invites somebody.
func (s *server) showInvite(c echo.Context) error {
	v, err := s.invitePage(c, "", rightsForm{role: store.Support})
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, views.EditUser(v))
}
