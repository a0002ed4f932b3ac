package torture_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"callboard/sandbox"
	"callboard/store"
)

const (
	seats     = "Mic.CallbackAfterSeatInfoChanged"
	seatsName = "Seat list changed"
)

// TestRestoreKeepsWhatCameLater goes back to older entries of a history whose cloud has got events since: one of our list,
// one that it lacks. They stay unless a person takes them away, and a plan that takes them away says so.
func TestRestoreKeepsWhatCameLater(t *testing.T) {
	onBoth(t, 2, func(r *rig) {
		p := r.start("", "--lease=20s") // of use, as a busy machine must not end a change early
		r.signIn(p)
		for i, drops := range [][]string{nil, {seats, unlisted}} {
			app := r.apps[i]
			first := r.mustPlan(p, app)
			number := r.mustApply(p, first)
			later := &sandbox.Callback{Url: r.draw(), CallbackCommandList: []string{created, seats, unlisted}}
			r.moveTo(app, later)
			o := r.filled(p, app, fmt.Sprintf("?restore=%d", number), seatsName, unlisted)
			if o.review.Get("url") != first.url || !sameWords(o.review["command"], []string{created, ended, seats, unlisted}) {
				r.t.Errorf("the form of app %d is filled with %v", app, o.review)
			}
			o.review["command"] = without(o.review["command"], drops)
			o = r.mustReview(p, o)
			r.removes(p, strings.TrimSuffix(o.path, "apply")+"review/"+o.form.Get("plan"), drops)
			r.outcome(r.mustApply(p, o), store.Applied)
			r.holds(app, first.url, o.review["command"])
			r.lost(app, drops)
		}
		r.withStore(func(s *store.Store) { r.settle(p, s) })
		p.stop()
	})
}

// TestOldFormsMeetNewEvents sends forms that were opened before somebody else added events, as from a tab left open or by
// the back button: the app's form, that of an entry to restore, and a plan that was ready. None writes before a person has
// seen what is there by now.
func TestOldFormsMeetNewEvents(t *testing.T) {
	onBoth(t, 3, func(r *rig) {
		p := r.start("", "--lease=20s")
		r.signIn(p)
		r.oldForm(p, r.apps[0], "")
		r.oldForm(p, r.apps[1], "side=before", ended)
		r.oldPlan(p, r.apps[2])
		r.withStore(func(s *store.Store) { r.settle(p, s) })
		p.stop()
	})
}

// oldForm opens a form, from an entry or not, takes events away there, and sends it when a colleague has added others: it
// ends at the three sides, whose proposal loses what the person took away and nothing else.
func (r *rig) oldForm(p *process, app int64, side string, drops ...string) {
	r.t.Helper()
	number, query := r.mustApply(p, r.mustPlan(p, app)), ""
	if side != "" {
		query = fmt.Sprintf("?restore=%d&%s", number, side)
	}
	tab := r.filled(p, app, query)
	tab.url = r.draw()
	tab.review.Set("url", tab.url)
	tab.review.Set("reason", "from a tab of yesterday")
	tab.review["command"] = without(tab.review["command"], drops)
	r.colleague(p, app)
	before := r.writes(app)
	number = r.mustApply(p, r.mustReview(p, tab))
	r.outcome(number, store.NotSent)
	if n := r.writes(app); n != before {
		r.t.Errorf("app %d: the old form wrote", app)
	}
	r.outcome(r.mustApply(p, r.merged(p, app, number, tab.url)), store.Applied)
	r.holds(app, tab.url, without([]string{created, ended, seats, unlisted}, drops))
	r.lost(app, drops)
}

// oldPlan applies a plan that was ready before a colleague's change: nothing is sent, and the new plan that the page
// offers says what it would take away.
func (r *rig) oldPlan(p *process, app int64) {
	r.t.Helper()
	ready := r.mustPlan(p, app)
	r.colleague(p, app)
	before := r.writes(app)
	number := r.mustApply(p, ready)
	r.outcome(number, store.NotSent)
	path := fmt.Sprintf("/changes/%d", number)
	form, err := r.get(p, path).form(path)
	must(r.t, err)
	form.Set("do", "again")
	got, err := do(r.client, http.MethodPost, p.url+path, form)
	must(r.t, err)
	r.removes(p, got.location, []string{seats, unlisted})
	if n := r.writes(app); n != before {
		r.t.Errorf("app %d was written by an old plan", app)
	}
	r.lost(app, nil)
}

// colleague adds two events through the console, with the callback's own URL.
func (r *rig) colleague(p *process, app int64) {
	r.t.Helper()
	cloud, _ := r.box.Callback(app)
	r.moveTo(app, &sandbox.Callback{Url: cloud.Url, CallbackCommandList: append(cloud.CallbackCommandList, unlisted)})
	o := r.filled(p, app, "")
	o.review.Set("reason", "seats too")
	o.review.Add("command", seats)
	r.outcome(r.mustApply(p, r.mustReview(p, o)), store.Applied)
}

// filled opens the form of an app, with a query or without, as it is without script; its notes have to name these events.
func (r *rig) filled(p *process, app int64, query string, named ...string) order {
	r.t.Helper()
	base := fmt.Sprintf("/apps/%d/callback", app)
	opened := r.get(p, base+query)
	form, err := opened.form(base + "/review")
	must(r.t, err)
	notes := words(opened.Find(".cb-note"))
	for _, name := range named {
		if !strings.Contains(notes, name) {
			r.t.Errorf("the form of app %d does not ask about %s: %s", app, name, notes)
		}
	}
	return order{app: app, url: form.Get("url"), review: form, path: base + "/apply"}
}

func (r *rig) mustReview(p *process, o order) order {
	r.t.Helper()
	o, err := r.reviewed(p, o)
	must(r.t, err)
	return o
}

// removes wants the page of a plan to name the events that it takes away, among what is removed.
func (r *rig) removes(p *process, path string, drops []string) {
	r.t.Helper()
	removed := words(r.get(p, path).Find(".cb-set li.bad"))
	for _, w := range []string{created, ended, seats, unlisted} {
		if slices.Contains(drops, w) != strings.Contains(removed, w) {
			r.t.Errorf("%s takes away %v, and names as removed: %s", path, drops, removed)
		}
	}
}

// merged takes the merged proposal of a three-way page with the person's own URL, as a browser without script sends it.
func (r *rig) merged(p *process, app, number int64, mine string) order {
	r.t.Helper()
	path := fmt.Sprintf("/changes/%d", number)
	shown := r.get(p, path)
	if n := shown.Find("table.cb-three").Length(); n != 1 {
		r.t.Fatalf("change %d has no three sides: %s", number, words(shown.Find("main")))
	}
	form, err := shown.form(path)
	must(r.t, err)
	form.Set("url", mine)
	form.Set("do", "merged")
	posted, err := do(r.client, http.MethodPost, p.url+path, form)
	must(r.t, err)
	o := order{app: app, url: mine, review: form, path: fmt.Sprintf("/apps/%d/callback/apply", app)}
	o.form, err = r.get(p, posted.location).form(o.path)
	must(r.t, err)
	return o
}

// lost wants the writes to an app to have taken these words away, by the sandbox's journal, and no other.
func (r *rig) lost(app int64, want []string) {
	r.t.Helper()
	var list []string
	for _, e := range writesOf(r.box.Journal()) {
		if e.SDKAppID == app && e.Applied && e.Before != nil && e.After != nil {
			list = append(list, without(e.Before.CallbackCommandList, e.After.CallbackCommandList)...)
		}
	}
	if !sameWords(list, want) {
		r.t.Errorf("app %d lost %v, want %v", app, list, want)
	}
}

// holds wants the cloud to hold a callback.
func (r *rig) holds(app int64, address string, list []string) {
	r.t.Helper()
	if cloud, _ := r.box.Callback(app); !alike(&cloud, &sandbox.Callback{Url: address, CallbackCommandList: list}) {
		r.t.Errorf("app %d: the cloud holds %+v, want %s with %v", app, cloud, address, list)
	}
}

// without gives the words of a list that another lacks.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(w string) bool { return slices.Contains(other, w) })
}

func sameWords(a, b []string) bool { return len(without(a, b))+len(without(b, a)) == 0 }
