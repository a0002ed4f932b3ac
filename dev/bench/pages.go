package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Goals of pages.
const (
	enoughRatio = 0.10 // of the bare handler's rate
	mainP99     = 20.0 // ms, of the pages that people look at all day
	listP99     = 50.0 // ms, of every other list
	searchP95   = 150.0
)

// target is a page to measure.
type target struct {
	name, path string
	ratio      float64 // 0: no goal
	p99, p95   float64 // ms; 0: no goal
	zipped     bool
}

// targets are all pages. The tabs are those that the history page itself has.
func (r *rig) targets(ctx context.Context) ([]target, error) {
	s := r.seeded
	apps := target{name: fmt.Sprintf("apps page, %d apps", len(s.Apps)), path: "/apps"}
	if len(s.Apps) <= 100 {
		apps.ratio, apps.p99 = enoughRatio, mainP99
	}
	deep := min(int64(r.entries)/2, 10_000*50)
	list := []target{
		{name: "history page", path: "/history", ratio: enoughRatio, p99: mainP99},
		{name: "history page, gzip", path: "/history", zipped: true},
		apps,
		{name: "change page", path: fmt.Sprintf("/changes/%d", s.Change), ratio: enoughRatio, p99: mainP99},
		{name: fmt.Sprintf("history, page %d", deep/50), path: fmt.Sprintf("/history?before=%d", s.Newest-deep), p99: listP99},
	}
	tabs, err := r.tabs(ctx)
	list = append(list, tabs...)
	for _, f := range []struct{ name, q string }{
		{"filter: app", fmt.Sprint(s.BusyApp)}, {"filter: person", s.Person},
		{"search: RequestId", s.RequestID}, {"search: beginning of a RequestId", s.RequestID[:19]}, {"search: attempt id", fmt.Sprint(s.Attempt)},
		{"search: number", fmt.Sprintf("#%d", s.Change)},
	} {
		list = append(list, target{name: f.name, path: "/history?q=" + url.QueryEscape(f.q), p99: listP99})
	}
	rare := fmt.Sprintf("/rtc/%d/v", len(s.Apps)-1)
	for _, f := range []struct{ name, q string }{{"search: part of a URL, many hits", "gateway"}, {"search: part of a URL, few hits", rare}, {"search: part of a URL, none", "no-such-host"}} {
		list = append(list, target{name: f.name, path: "/history?q=" + url.QueryEscape(f.q), p95: searchP95})
	}
	return list, err
}

var (
	tabList = regexp.MustCompile(`(?s)<ul class="cb-tabs.*?</ul>`)
	tabLink = regexp.MustCompile(`href="(/history\?[^"]*)"`)
)

func (r *rig) tabs(ctx context.Context) ([]target, error) {
	text, err := r.visitor.page(ctx, "/history")
	if err != nil {
		return nil, err
	}
	var list []target
	for _, m := range tabLink.FindAllStringSubmatch(tabList.FindString(text), -1) {
		path := html.UnescapeString(m[1])
		u, err := url.Parse(path)
		if err != nil {
			return nil, err
		}
		list = append(list, target{name: "tab: " + u.Query().Get("state"), path: path, p99: listP99})
	}
	if len(list) == 0 {
		return nil, errors.New("the history page has no tabs")
	}
	return list, nil
}

func (r *rig) measurePages(ctx context.Context) error {
	list, err := r.targets(ctx)
	if err != nil {
		return err
	}
	if err := r.console.resetPeak(); err != nil {
		note("the peak of memory cannot be reset here, so it counts from the start: %v", err)
	}
	cookies, err := r.visitor.cookies()
	if err != nil {
		return err
	}
	loaded := false
	for _, t := range list {
		if !r.wanted(t.name) {
			continue
		}
		loaded = true
		if err := r.measurePage(ctx, t, cookies); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	if now, peak := r.console.memory(); loaded {
		r.add(figure{Name: "memory: under load", Value: peak, Unit: "MB", Beside: fmt.Sprintf("%.0f MB right after", now)}.under(120))
	}
	return nil
}

// slow is from when on a page is asked one request after another, as neither model would end in time.
const slow = 500 * time.Millisecond

// slowLimit is how long such a page may take.
const slowLimit = 30 * time.Second

func (r *rig) measurePage(ctx context.Context, t target, cookies string) error {
	note("%s: %s", r.db.kind, t.name)
	address := r.console.url + t.path
	size, took, err := r.probe(ctx, t, cookies)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	p := &page{Bytes: size}
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		p.Rate, p.P50, p.P95, p.P99 = 1/slowLimit.Seconds(), milliseconds(slowLimit), milliseconds(slowLimit), milliseconds(slowLimit)
	case took > slow:
		err = r.oneByOne(ctx, p, address, cookies)
	default:
		err = r.bothModels(ctx, p, t, address, cookies)
	}
	if err != nil && (p.Rate == 0 || ctx.Err() != nil) {
		return err
	}
	if err != nil {
		p.Fault = err.Error() // the rate is known; the latencies are not, and no goal is met
		note("%s: %v", t.name, err)
	}
	r.add(judged(t, p))
	return ctx.Err()
}

// probe asks thrice, which also warms up, and tells the size of the page and the time of the last answer.
func (r *rig) probe(ctx context.Context, t target, cookies string) (size int, took time.Duration, err error) {
	limited, cancel := context.WithTimeout(ctx, slowLimit)
	defer cancel()
	for range 3 {
		start := time.Now()
		if size, err = r.sizeOf(limited, t, cookies); err != nil {
			return 0, 0, err
		}
		took = time.Since(start)
	}
	return size, took, nil
}

func (r *rig) sizeOf(ctx context.Context, t target, cookies string) (int, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, r.console.url+t.path, nil)
	if err != nil {
		return 0, err
	}
	q.Header.Set("Cookie", cookies)
	if t.zipped {
		q.Header.Set("Accept-Encoding", "gzip")
	}
	answer, err := r.visitor.client.Do(q)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusSeeOther {
		return 0, fmt.Errorf("%s answers %d", t.path, answer.StatusCode)
	}
	return count(answer.Body)
}

func (r *rig) oneByOne(ctx context.Context, p *page, address, cookies string) error {
	var took []time.Duration
	begin := time.Now()
	for len(took) < 3 || time.Since(begin) < time.Duration(r.seconds)*time.Second {
		start := time.Now()
		if err := ask(ctx, r.visitor.client, address, cookies); err != nil {
			return err
		}
		took = append(took, time.Since(start))
	}
	p.Rate = float64(len(took)) / time.Since(begin).Seconds()
	p.P50, p.P95, p.P99 = percentile(took, 0.50), percentile(took, 0.95), percentile(took, 0.99)
	return nil
}

// Arrivals of the open model: a quarter of what the page can do, so that waiting in line is rare, and not more than
// the sender keeps time with.
const (
	arrivalShare = 0.25
	mostArrivals = 200.0
	fewSamples   = 100
	p99Samples   = 1500 // where the p99 is what counts: of fewer it is a handful of answers, and a matter of chance
)

// bothModels measures a page right beside the bare handler with a page of the same size.
func (r *rig) bothModels(ctx context.Context, p *page, t target, address, cookies string) (err error) {
	headers := []string{"Cookie: " + cookies}
	if t.zipped {
		headers = append(headers, "Accept-Encoding: gzip")
	}
	bare := r.bare.page(p.Bytes)
	if p.BareRate, err = wrk(ctx, r.seconds, bare); err != nil {
		return err
	}
	if p.Rate, err = wrk(ctx, r.seconds, address, headers...); err != nil {
		return err
	}
	p.Ratio = p.Rate / p.BareRate
	p.Arrivals = min(p.Rate*arrivalShare, mostArrivals)
	n := int(p.Arrivals * float64(r.seconds))
	least := fewSamples
	if t.p99 > 0 {
		least = p99Samples
	}
	took, err := openModel(ctx, min(max(n, least), 4*n+1), p.Arrivals, r.visitor.client, address, cookies)
	if err != nil {
		return err
	}
	p.P50, p.P95, p.P99 = percentile(took, 0.50), percentile(took, 0.95), percentile(took, 0.99)
	if took, err = openModel(ctx, max(n, 1), p.Arrivals, r.visitor.client, bare, ""); err != nil {
		return err
	}
	p.BareP99 = percentile(took, 0.99)
	return nil
}

// judged holds a page against its goals.
func judged(t target, p *page) figure {
	f := figure{Name: t.name, Value: p.Rate, Unit: "answers a second", Page: p}
	var goals []string
	met := p.Fault == ""
	if t.ratio > 0 {
		goals = append(goals, fmt.Sprintf("%.0f %% of bare", t.ratio*100))
		met = met && p.Ratio >= t.ratio
	}
	if t.p99 > 0 {
		goals = append(goals, fmt.Sprintf("p99 under %g ms", t.p99))
		met = met && p.P99 < t.p99
	}
	if t.p95 > 0 {
		goals = append(goals, fmt.Sprintf("p95 under %g ms", t.p95))
		met = met && p.P95 < t.p95
	}
	if len(goals) > 0 {
		f.Goal, f.Met = strings.Join(goals, ", "), &met
	}
	return f
}
