package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"callboard/i18n"
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
