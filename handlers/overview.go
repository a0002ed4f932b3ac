package handlers

import (
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
	overviewApps   = 20 // named apps that need attention
)

// showOverview answers whether everything is all right. It asks the database alone, and never for the whole history.
func (s *server) showOverview(c echo.Context) error {
	ctx := c.Request().Context()
	v := views.OverviewPage{Base: s.base(c, "overview.title")}
	v.Nav = "overview"
	p, k := v.P, s.clockOf(c, v.P)
	apps, err := s.Store.Apps(ctx, false)
	if err != nil {
		return err
	}
	days := lastDays(k, overviewDays)
	outcomes, err := s.Store.Outcomes(ctx, days[0].UnixMilli())
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
	v.Verdict = verdict(p, apps)
	v.States = appStates(p, apps)
	v.Attention = attention(k, apps)
	v.Days = daysChart(k, days, outcomes)
	v.Zone = k.zoneName()
	v.Answers = s.answersChart(p, times)
	for _, x := range codes {
		v.Codes = append(v.Codes, views.OverviewCode{Code: itoa64(x.Code), Href: codePath(x.Code), Meaning: meaning(p, x.Code), Count: p.Number(x.Count)})
	}
	return s.render(c, http.StatusOK, views.Overview(v))
}

// verdict is the sentence at the top, with where to go.
func verdict(p *i18n.Printer, apps []store.AppRow) views.Verdict {
	need := 0
	for _, a := range apps {
		need += count(inTab(tabAttention, a))
	}
	switch {
	case len(apps) == 0:
		return views.Verdict{Level: "info", Icon: "info-circle", Text: p.T("apps.none_title"), Link: views.Link{Href: "/apps", Text: p.T("problem.to_apps")}}
	case need == 0:
		return views.Verdict{Level: "ok", Icon: "circle-check", Text: p.N("overview.fine", len(apps)), Link: views.Link{Href: "/apps", Text: p.T("problem.to_apps")}}
	}
	return views.Verdict{Level: "care", Icon: "alert-triangle", Text: p.N("overview.need", need, "All", p.Number(len(apps))), Link: views.Link{Href: "/apps?state=" + tabAttention, Text: p.T("overview.see_need")}}
}

// standing is the coloured word that the list of apps has for an app.
func standing(p *i18n.Printer, a store.AppRow) views.State {
	switch {
	case a.Open != 0 && a.OpenOutcome == store.Unknown:
		return views.State{Class: "unsure", Icon: "help-circle", Text: p.T("app_state.unknown")}
	case a.Open != 0:
		return views.State{Class: "info", Icon: "hourglass", Text: p.T("app_state.pending")}
	}
	return appState(p, changes.StateOf(a.App, a.Current))
}

// appStates counts apps by how they stand, what needs attention first.
func appStates(p *i18n.Printer, apps []store.AppRow) []views.CountedState {
	apps = slices.Clone(apps)
	slices.SortStableFunc(apps, func(a, b store.AppRow) int { return urgency(a) - urgency(b) })
	counts := map[views.State]int{}
	var order []views.State
	for _, a := range apps {
		st := standing(p, a)
		if counts[st] == 0 {
			order = append(order, st)
		}
		counts[st]++
	}
	list := make([]views.CountedState, 0, len(order))
	for _, st := range order {
		list = append(list, views.CountedState{State: st, Count: p.Number(counts[st])})
	}
	return list
}

// attention names the apps with an open change or a drift, the most urgent first.
func attention(k clock, apps []store.AppRow) []views.OverviewApp {
	apps = slices.Clone(apps)
	slices.SortStableFunc(apps, func(a, b store.AppRow) int { return urgency(a) - urgency(b) })
	var list []views.OverviewApp
	for _, a := range apps {
		number := a.Open
		if number == 0 {
			number = a.Drift
		}
		if number == 0 || len(list) == overviewApps {
			continue
		}
		list = append(list, views.OverviewApp{Name: a.Name, Href: views.AppPath(a.SDKAppID, "/callback"), State: standing(k.p, a), Number: "#" + itoa64(number), NumberHref: views.ChangePath(number)})
	}
	return list
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
		row := views.AnswerRow{Region: s.regionName(p, r), Calls: p.Number(len(byRegion[r])), Half: p.Number(int(half)), Most: p.Number(int(most)),
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
