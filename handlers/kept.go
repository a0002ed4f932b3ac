package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"callboard/views"
)

// Fields of the sign-in form that hold what somebody typed elsewhere when their session had ended.
const (
	keptAction = "kept_action"
	keptSecret = "kept_secret" // names of fields that are typed anew
	keptPrefix = "kept."
)

// keep shows the sign-in page with the form of a post whose session has ended inside. Only a form of this console is
// kept: another site must not be able to lay one before whoever signs in. It tells whether it was.
func (s *server) keep(c echo.Context) (bool, error) {
	if c.Request().URL.Path == "/sign-out" || !s.ownForm(c) {
		return false, nil
	}
	v := views.SignInPage{Base: s.base(c, "sign_in.title"), Next: "/apps"}
	v.Kept = keptFields(s.again(c, v.Base))
	v.KeptText = v.P.T("sign_in.kept")
	return true, s.render(c, http.StatusForbidden, views.SignIn(v))
}

// ownForm tells whether a post comes from a form of this console in this browser.
func (s *server) ownForm(c echo.Context) bool {
	nothing := func(echo.Context) error { return nil }
	return errors.Join(s.crossOrigin()(nothing)(c), s.formToken()(nothing)(c)) == nil
}

// keptFields packs a form into fields of another.
func keptFields(form *views.AgainForm) []views.Field {
	list := []views.Field{{Name: keptAction, Value: form.Action}}
	for _, f := range form.Secret {
		list = append(list, views.Field{Name: keptSecret, Value: f.Name})
	}
	for _, f := range form.Fields {
		list = append(list, views.Field{Name: keptPrefix + f.Name, Value: f.Value})
	}
	return list
}

// keptOf are the packed fields of a sign-in, for when it is shown again.
func keptOf(c echo.Context) []views.Field {
	var list []views.Field
	r := c.Request()
	for _, name := range slices.Sorted(fieldNames(r.PostForm)) {
		if name != keptAction && name != keptSecret && !strings.HasPrefix(name, keptPrefix) {
			continue
		}
		for _, value := range r.PostForm[name] {
			list = append(list, views.Field{Name: name, Value: value})
		}
	}
	return list
}

// unpack makes the form of a sign-in's packed fields; nil when there is none, or none for a path of ours.
func unpack(c echo.Context, b views.Base) *views.AgainForm {
	form := &views.AgainForm{Action: c.FormValue(keptAction)}
	if form.Action == "" || ownPath(form.Action) != form.Action {
		return nil
	}
	for _, f := range keptOf(c) {
		name, ok := strings.CutPrefix(f.Name, keptPrefix)
		switch {
		case ok && name != csrfField && !slices.Contains(secretFields, name):
			form.Fields = append(form.Fields, views.Field{Name: name, Value: f.Value})
		case f.Name == keptSecret && slices.Contains(secretFields, f.Value):
			form.Secret = append(form.Secret, views.Field{Name: f.Value, Value: b.P.T("field." + f.Value)})
		}
	}
	return form
}

// giveBack shows, after signing in, the form that was typed before: one more click sends it. It tells whether there was one.
func (s *server) giveBack(c echo.Context) (bool, error) {
	b := s.base(c, "sign_in.back_title")
	form := unpack(c, b)
	if form == nil {
		return false, nil
	}
	return true, s.render(c, http.StatusOK, views.Problem(views.ProblemPage{Base: b, Headline: b.Title, Text: b.P.T("sign_in.back_text"), Again: form,
		Links: []views.Link{{Href: "/apps", Text: b.P.T("problem.to_apps")}}}))
}
