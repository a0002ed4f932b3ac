package handlers

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

const (
	overviewDays   = 30
	answerTimeDays = 7
	overviewApps   = 10 // named apps of each state that needs attention
)

// showOverview answers whether everything is all right. It asks the database alone, and never for the whole history.
func (s *server) showOverview(c echo.Context) error {
	ctx := c.Request().Context()
	v := views.OverviewPage{Base: s.base(c, "overview.title")}
	v.Nav = "overview"
	p, k := v.P, s.clockOf(c, v.P)
	apps, err := s.listedApps(ctx, false)
	if err != nil {
		return err
	}
	days := lastDays(k, overviewDays)
	outcomes, cut, err := s.Store.Outcomes(ctx, days[0].UnixMilli())
	if err != nil {
		return err
	}
	times, err := s.Store.AnswerTimes(ctx, k.now.AddDate(0, 0, -answerTimeDays).UnixMilli())
	if err != nil {
		return err
	}
	codes, err := s.Store.FrequentCodes(ctx, days[0].UnixMilli())
	if err != nil {
		return err
	}
	v.Verdict = verdict(k, apps)
	v.States = appStates(p, apps)
	v.Attention = attention(k, apps)
	v.Days = daysChart(k, days, outcomes)
	if cut {
		v.Days.Cut = p.T("overview.cut", "Count", p.Number(store.OverviewRows), "Time", k.stamp(outcomes[0].At))
	}
	v.Zone = k.zoneName(days[0].UnixMilli(), k.now.UnixMilli())
	v.Answers = s.answersChart(p, times)
	for _, x := range codes {
		v.Codes = append(v.Codes, views.OverviewCode{Code: itoa64(x.Code), Href: codePath(x.Code), Meaning: meaning(p, x.Code), Count: p.Number(x.Count)})
	}
	return s.render(c, http.StatusOK, views.Overview(v))
}

// readOften is how old a reading may be to say that all is right.
const readOften = 24 * time.Hour

// verdict is the sentence at the top, with where to go. Of what was not read lately nobody knows whether it is right.
func verdict(k clock, apps []store.AppRow) views.Verdict {
	p, need, unseen := k.p, 0, 0
	for _, a := range apps {
		need += count(inTab(tabAttention, a))
		unseen += count(a.ReadAt < k.now.Add(-readOften).UnixMilli())
	}
	switch {
	case len(apps) == 0:
		return views.Verdict{Level: "info", Icon: "info-circle", Text: p.T("apps.none_title"), Link: views.Link{Href: "/apps", Text: p.T("problem.to_apps")}}
	case need == 0 && unseen > 0:
		return views.Verdict{Level: "info", Icon: "info-circle", Text: p.N("overview.unseen", unseen, "All", p.Number(len(apps))), Link: views.Link{Href: "/apps", Text: p.T("problem.to_apps")}}
	case need == 0:
		return views.Verdict{Level: "ok", Icon: "circle-check", Text: p.N("overview.fine", len(apps)), Link: views.Link{Href: "/apps", Text: p.T("problem.to_apps")}}
	}
	return views.Verdict{Level: "care", Icon: "alert-triangle", Text: p.N("overview.need", need, "All", p.Number(len(apps))), Link: views.Link{Href: "/apps?state=" + tabAttention, Text: p.T("overview.see_need")}}
}

// Standings of apps with an open change; the others are the states of package changes.
const (
	standsUnknown = "unknown"
	standsPending = "pending"
)

// standings are all the ways in which an app can stand, what needs attention first.
var standings = []string{standsUnknown, standsPending, string(changes.Drifted), string(changes.Unreadable), string(changes.InStep), string(changes.NotConfigured), string(changes.NeverRead)}

// standing is how an app stands: an open change comes before what the last reading told.
func standing(a store.AppRow) string {
	switch {
	case a.Open != 0 && a.OpenOutcome == store.Unknown:
		return standsUnknown
	case a.Open != 0:
		return standsPending
	}
	return string(changes.StateOf(a.App, a.Current))
}

// standingWord is the coloured word that the list of apps has for a standing.
func standingWord(p *i18n.Printer, name string) views.State {
	switch name {
	case standsUnknown:
		return views.State{Class: "unsure", Icon: "help-circle", Text: p.T("app_state.unknown")}
	case standsPending:
		return views.State{Class: "info", Icon: "hourglass", Text: p.T("app_state.pending")}
	}
	return appState(p, changes.State(name))
}

// appStates counts apps by how they stand, each with the way to its apps.
func appStates(p *i18n.Printer, apps []store.AppRow) []views.CountedState {
	counts := map[string]int{}
	for _, a := range apps {
		counts[standing(a)]++
	}
	var list []views.CountedState
	for _, name := range standings {
		if n := counts[name]; n > 0 {
			list = append(list, views.CountedState{State: standingWord(p, name), Count: p.Number(n), Href: appFilter{}.tab(name)})
		}
	}
	return list
}

// attention names the apps with an open change, a drift, or a failed read, by standing and the newest first.
func attention(k clock, apps []store.AppRow) []views.OverviewGroup {
	var list []views.OverviewGroup
	for _, name := range []string{standsUnknown, standsPending, string(changes.Drifted), string(changes.Unreadable)} {
		var of []store.AppRow
		for _, a := range apps {
			if standing(a) == name {
				of = append(of, a)
			}
		}
		if len(of) > 0 {
			list = append(list, attentionGroup(k, name, of))
		}
	}
	return list
}

// attentionGroup names the newest of the apps that stand in one way, and says how many there are more.
func attentionGroup(k clock, name string, of []store.AppRow) views.OverviewGroup {
	slices.SortFunc(of, func(a, b store.AppRow) int { return cmp.Compare(attentionSince(b), attentionSince(a)) })
	var g views.OverviewGroup
	if more := len(of) - overviewApps; more > 0 {
		g.More = &views.Link{Href: appFilter{}.tab(name), Text: k.p.N("overview.more", more)}
		of = of[:overviewApps]
	}
	for _, a := range of {
		row := views.OverviewApp{Name: a.Name, Href: views.AppPath(a.SDKAppID, "/callback"), Env: views.Env{Class: a.Environment, Word: k.p.T("environment." + a.Environment)}, State: standingWord(k.p, name),
			Title: k.p.T("environment."+a.Environment) + " · " + itoa64(a.SDKAppID)}
		if number := attentionEntry(a); number != 0 {
			row.Number, row.NumberHref = "#"+itoa64(number), views.ChangePath(number)
		} else {
			row.Since = k.time(a.FailedAt)
		}
		g.Apps = append(g.Apps, row)
	}
	return g
}

// attentionEntry is the entry that an app needs attention for, 0 for a failed read, which makes none.
func attentionEntry(a store.AppRow) int64 {
	switch standing(a) {
	case standsUnknown, standsPending:
		return a.Open
	case string(changes.Drifted), string(changes.Unreadable): // a failed read does not end a drift
		return a.Drift
	}
	return 0
}

// attentionSince orders apps of one standing: by their entry, or by when the read failed.
func attentionSince(a store.AppRow) int64 {
	if standing(a) == string(changes.Unreadable) {
		return a.FailedAt
	}
	return attentionEntry(a)
}

// lastDays are the beginnings of the last n days in the person's zone, today's being the last.
func lastDays(k clock, n int) []time.Time {
	days := make([]time.Time, n)
	for i := range days {
		days[i] = time.Date(k.now.Year(), k.now.Month(), k.now.Day()-(n-1-i), 0, 0, 0, 0, k.zone)
	}
	return days
}

// series are what a day's bar is made of, from the ground up.
var series = []struct {
	name, class string
	states      []string
}{
	{"applied", "ok", []string{store.Applied}},
	{"refused", "bad", []string{store.Refused, store.NotApplied}},
	{"unknown", "unsure", []string{store.Unknown, store.Pending}},
	{"overtaken", "care", []string{store.Overtaken}},
	{"not_sent", "idle", []string{store.NotSent}},
}

// perDay adds up quarters of an hour by day and series; a day begins as the person's zone says.
func perDay(days []time.Time, outcomes []store.OutcomeCount) [][]int {
	table := make([][]int, len(days))
	for i := range table {
		table[i] = make([]int, len(series))
	}
	for _, o := range outcomes {
		i := len(days) - 1
		for i > 0 && o.At < days[i].UnixMilli() {
			i--
		}
		for j, x := range series {
			if slices.Contains(x.states, o.State) {
				table[i][j] += o.Count
			}
		}
	}
	return table
}

func daysChart(k clock, days []time.Time, outcomes []store.OutcomeCount) views.DaysChart {
	p, table := k.p, perDay(days, outcomes)
	sums, top := make([]int, len(series)), 0
	for _, day := range table {
		height := 0
		for j, n := range day {
			height += n
			sums[j] += n
		}
		top = max(top, height)
	}
	v := views.DaysChart{First: p.Date(days[0]), Last: p.Date(days[len(days)-1]), Top: p.N("overview.most", top), Empty: top == 0}
	var said []string
	for j, x := range series {
		name := p.T("overview.series." + x.name)
		v.Series = append(v.Series, views.Series{Class: x.class, Name: name, Sum: p.Number(sums[j])})
		said = append(said, name+" "+p.Number(sums[j]))
	}
	v.Label = p.T("overview.days_label", "Numbers", strings.Join(said, p.T("join.comma")))
	for i, day := range table {
		row := views.ChartDay{Name: p.Date(days[i])}
		y := 0
		for j, n := range day {
			row.Counts = append(row.Counts, p.Number(n))
			if n > 0 {
				height := max(1, n*views.ChartHeight/max(top, 1))
				y += height
				row.Bars = append(row.Bars, views.Bar{Class: series[j].class, X: i * views.ChartStep, Y: views.ChartHeight - y, Width: views.ChartStep - 2, Height: height})
			}
		}
		v.Days = append(v.Days, row)
	}
	return v
}

// answersChart shows for each region how long half of the calls took at most, and 95 of a hundred.
func (s *server) answersChart(p *i18n.Printer, times []store.AnswerTime) []views.AnswerRow {
	byRegion := map[string][]int64{}
	var regions []string
	top := int64(1)
	for _, a := range times {
		if byRegion[a.Region] == nil {
			regions = append(regions, a.Region)
		}
		byRegion[a.Region] = append(byRegion[a.Region], a.MS)
	}
	slices.Sort(regions)
	for _, r := range regions {
		slices.Sort(byRegion[r])
		top = max(top, percentile(byRegion[r], 95))
	}
	var list []views.AnswerRow
	for _, r := range regions {
		half, most := percentile(byRegion[r], 50), percentile(byRegion[r], 95)
		row := views.AnswerRow{Region: s.regionName(p, r), Calls: p.Number(len(byRegion[r])), Half: millis(p, half), Most: millis(p, most),
			HalfWidth: int(half * views.ChartWidth / top), MostWidth: int(most * views.ChartWidth / top)}
		row.Label = p.T("overview.answers_label", "Region", row.Region, "Half", row.Half, "Most", row.Most)
		list = append(list, row)
	}
	return list
}

// percentile is the smallest of the sorted values that at least so many of a hundred do not exceed.
func percentile(sorted []int64, n int) int64 {
	return sorted[int(math.Ceil(float64(len(sorted)*n)/100))-1]
}
