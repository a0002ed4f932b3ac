package handlers

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
	"callboard/views"
)

// showEvents is the catalogue of command words.
func (s *server) showEvents(c echo.Context) error {
	v := views.EventsPage{Base: s.base(c, "events.title")}
	v.Nav = "events"
	for _, g := range tencent.Groups() {
		group := views.CatalogueGroup{ID: string(g), Name: v.P.T("group." + string(g) + ".name"), Why: groupWhy(v.P, g)}
		for _, cmd := range tencent.Commands() {
			if cmd.Group == g {
				group.Rows = append(group.Rows, views.CatalogueRow{Word: cmd.Word, Name: v.P.T("command." + cmd.Word + ".name"), When: v.P.T("command." + cmd.Word + ".when"),
					Document: cmd.Document, Tags: tags(v.P, cmd, true), Sample: cmd.Sample})
			}
		}
		v.Groups = append(v.Groups, group)
	}
	return s.render(c, http.StatusOK, views.Events(v))
}

// groupWhy is the sentence under a group's name; only some groups need one.
func groupWhy(p *i18n.Printer, g tencent.Group) string {
	if g == tencent.GroupBlocking || g == tencent.GroupShared {
		return p.T("group." + string(g) + ".why")
	}
	return ""
}

// showErrorCode explains a code, known or not.
func (s *server) showErrorCode(c echo.Context) error {
	code, err := strconv.ParseInt(c.Param("code"), 10, 64)
	if err != nil {
		return store.ErrNotFound
	}
	v := views.ErrorCodePage{Base: s.base(c, "errors.title")}
	v.Nav = "events"
	v.Headline = v.P.T("errors.headline", "Code", code, "Meaning", meaning(v.P, code))
	v.Cause, v.Do = v.P.T(errorText(code, "cause")), v.P.T(errorText(code, "do"))
	v.Facts = codeFacts(v.P, code)
	return s.render(c, http.StatusOK, views.ErrorCode(v))
}

// codeFacts says whose side a code is on and whether the call may be repeated.
func codeFacts(p *i18n.Printer, code int64) []views.Fact {
	e, known := findCode(code)
	if !known {
		return []views.Fact{{Name: p.T("errors.known"), Text: p.T("errors.not_known")}}
	}
	list := []views.Fact{
		{Name: p.T("errors.side"), Text: p.T("side." + string(e.Side))},
		{Name: p.T("errors.repeat"), Text: p.T("repeat." + string(e.Repeat))},
	}
	done := "errors.not_done"
	if !e.NotDone {
		done = "errors.maybe_done"
	}
	list = append(list, views.Fact{Name: p.T("errors.done"), Text: p.T(done)})
	if e.Unverified {
		list = append(list, views.Fact{Name: p.T("errors.source"), Text: p.T("errors.unverified")})
	}
	return list
}
