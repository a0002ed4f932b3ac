package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"time"

	"callboard/dev/bench/seed"
)

// Goals of what reads from the API or writes to it.
const (
	formOwn  = 3.0 // ms
	applyOwn = 2.0 // ms, beyond two durable commits
)

// Pace of these measurements: one person, and a pause in which what goes on in the background ends.
const (
	perSecond = 10
	mostTimes = 200
	pause     = 50 * time.Millisecond
)

// times is how often a form or an apply is measured.
func (r *rig) times() int { return min(perSecond*r.seconds, mostTimes) }

// steady are apps that a change can be made of.
func (r *rig) steady() []seed.App {
	return slices.DeleteFunc(slices.Clone(r.seeded.Apps), func(a seed.App) bool { return !a.Steady })
}

func formPath(a seed.App) string { return fmt.Sprintf("/apps/%d/callback", a.ID) }

// measureForm opens the form, which reads from the API, and leaves the API's own time out.
func (r *rig) measureForm(ctx context.Context) error {
	const name = "form page: own share"
	if !r.wanted(name) {
		return nil
	}
	note("%s: %s", r.db.kind, name)
	apps := r.steady()
	var own, api, commit, bare []time.Duration
	for i := range r.times() {
		a := apps[i%len(apps)]
		from := time.Now()
		text, err := r.visitor.page(ctx, formPath(a))
		if err != nil {
			return err
		}
		to := time.Now()
		took, n := r.api.took(a.ID, from, to, 1)
		if n != 1 {
			return fmt.Errorf("the form made %d calls instead of one", n)
		}
		own, api = append(own, to.Sub(from)-took), append(api, took)
		two, err := r.db.twoCommits(ctx)
		if err != nil {
			return err
		}
		wait(ctx, pause)
		exchanges, err := r.bareExchanges(ctx, len(text), 1)
		if err != nil {
			return err
		}
		commit, bare = append(commit, two/2), append(bare, exchanges)
		wait(ctx, pause)
	}
	beside := fmt.Sprintf("API %.2f ms, one durable commit %.2f ms, the same exchanges with the bare handler %.2f ms (p50)", percentile(api, 0.5), percentile(commit, 0.5), percentile(bare, 0.5))
	r.add(figure{Name: name + ", p50", Value: percentile(own, 0.5), Unit: "ms", Beside: beside}.under(formOwn))
	r.add(figure{Name: name + ", p99", Value: percentile(own, 0.99), Unit: "ms"})
	return ctx.Err()
}

// measureApply changes a URL through form, plan and apply, and times the apply.
func (r *rig) measureApply(ctx context.Context) error {
	const name = "apply: own share"
	if !r.wanted(name) {
		return nil
	}
	note("%s: %s", r.db.kind, name)
	apps := r.steady()
	var own, api, commits, bare []time.Duration
	for i := range r.times() {
		total, took, err := r.apply(ctx, apps[i%len(apps)])
		if err != nil {
			return err
		}
		wait(ctx, pause) // the change is read back now
		two, err := r.db.twoCommits(ctx)
		if err != nil {
			return err
		}
		wait(ctx, pause)
		exchanges, err := r.bareExchanges(ctx, 0, 2)
		if err != nil {
			return err
		}
		own, api, commits, bare = append(own, total-took), append(api, took), append(commits, two), append(bare, exchanges)
	}
	limit := percentile(commits, 0.5) + applyOwn
	f := figure{Name: name + ", p50", Value: percentile(own, 0.5), Unit: "ms", Goal: fmt.Sprintf("under %.2f ms: two durable commits and %g ms", limit, applyOwn),
		Beside: fmt.Sprintf("API %.2f ms, two durable commits %.2f ms, the same exchanges with the bare handler %.2f ms (p50)", percentile(api, 0.5), percentile(commits, 0.5), percentile(bare, 0.5))}
	met := f.Value < limit
	f.Met = &met
	r.add(f)
	r.add(figure{Name: name + ", p99", Value: percentile(own, 0.99), Unit: "ms", Beside: fmt.Sprintf("two durable commits %.2f ms (p99)", percentile(commits, 0.99))})
	return ctx.Err()
}

// answerSize is about how long an answer of the API is, in bytes.
const answerSize = 200

// bareExchanges is how long the same exchanges over HTTP take with the bare handler: one for a page of a size, and the calls.
func (r *rig) bareExchanges(ctx context.Context, size, calls int) (time.Duration, error) {
	start := time.Now()
	for i := range 1 + calls {
		n := size
		if i > 0 {
			n = answerSize
		}
		if err := ask(ctx, r.visitor.client, r.bare.page(n), ""); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// apply carries one change out and returns how long the post took, and the API within it.
func (r *rig) apply(ctx context.Context, a seed.App) (total, api time.Duration, err error) {
	plan, wanted, err := r.plan(ctx, a)
	if err != nil {
		return 0, 0, err
	}
	from := time.Now()
	to, err := r.visitor.post(ctx, formPath(a)+"/apply", plan)
	end := time.Now()
	if err != nil {
		return 0, 0, err
	}
	api, n := r.api.took(a.ID, from, end, 2)
	if now, ok := r.api.box.Callback(a.ID); n < 2 || n > 3 || !ok || now.Url != wanted || !strings.HasPrefix(to, "/changes/") {
		return 0, 0, fmt.Errorf("an apply made %d calls, led to %s and was not carried out as planned", n, to)
	}
	return end.Sub(from), api, nil
}

// plan fills the form in and returns what its plan page would post.
func (r *rig) plan(ctx context.Context, a seed.App) (form url.Values, wanted string, err error) {
	text, err := r.visitor.page(ctx, formPath(a))
	if err != nil {
		return nil, "", err
	}
	wanted = value(text, "url")
	if shorter, ok := strings.CutSuffix(wanted, "/measured"); ok {
		wanted = shorter
	} else {
		wanted += "/measured"
	}
	to, err := r.visitor.post(ctx, formPath(a)+"/review", url.Values{"url": {wanted}, "reason": {"A change that is measured"}, "command": values(text, "command"),
		"reading": {value(text, "reading")}, "opened": {value(text, "opened")}, "_csrf": {value(text, "_csrf")}})
	if err != nil {
		return nil, "", err
	}
	if text, err = r.visitor.page(ctx, to); err != nil {
		return nil, "", err
	}
	if value(text, "plan") == "" {
		return nil, "", errors.New("the plan page has no form: " + html.EscapeString(to))
	}
	form = url.Values{"plan": {value(text, "plan")}, "_csrf": {value(text, "_csrf")}}
	for _, f := range fields(text) {
		if f.name == "tick" {
			form.Add("tick", f.value)
		}
	}
	return form, wanted, nil
}
