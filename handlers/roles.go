package handlers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/store"
	"callboard/views"
)

// routeGroups puts the routes of the roles page in order, by the first part of their path.
var routeGroups = []struct {
	id    string
	first []string
}{
	{"apps", []string{"", "apps"}},
	{"history", []string{"overview", "changes", "history"}},
	{"reference", []string{"events", "errors"}},
	{"people", []string{"users", "audit", "account"}},
	{"sign_in", []string{"setup", "sign-in", "sign-out", "welcome"}},
	{"other", nil}, // whatever has no place above
}

// showRoles shows /users/roles: who may do what, from the table that the guards read.
func (s *server) showRoles(c echo.Context) error {
	v := views.RolesPage{Base: s.base(c, "roles.title")}
	if v.User.Admin {
		v.Audit = "/audit"
	}
	for _, need := range []auth.Need{auth.Anyone, auth.Support, auth.Operator, auth.Admin} {
		head := v.P.T("roles.anyone")
		if need != auth.Anyone {
			head = v.P.T("role." + string(need))
		}
		v.Heads = append(v.Heads, head)
	}
	for _, g := range routeGroups {
		group := views.RouteGroup{ID: g.id, Name: v.P.T("roles.group." + g.id)}
		for _, r := range auth.Routes {
			if groupOf(r.Path) == g.id {
				group.Rows = append(group.Rows, routeRow(v, r))
			}
		}
		if len(group.Rows) > 0 {
			v.Groups = append(v.Groups, group)
		}
	}
	return s.render(c, http.StatusOK, views.Roles(v))
}

func groupOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	first, _, _ = strings.Cut(first, ".")
	for _, g := range routeGroups {
		if slices.Contains(g.first, first) {
			return g.id
		}
	}
	return "other"
}

func routeRow(v views.RolesPage, r auth.Route) views.RouteRow {
	row := views.RouteRow{Route: r.Method + " " + r.Path, Words: r.Method + " " + r.Path}
	if id := routeText(r); v.P.Has(id) {
		row.Words = v.P.T(id)
	}
	for _, role := range []string{"", store.Support, store.Operator, store.Admin} {
		row.May = append(row.May, r.Need.Allows(role))
	}
	return row
}

// routeText is the id of what a route does in plain words: "roles.do." and the route in small letters and strokes.
func routeText(r auth.Route) string {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			return c
		}
		return '_'
	}, strings.ToLower(r.Method+r.Path))
	return "roles.do." + strings.Trim(name, "_")
}
