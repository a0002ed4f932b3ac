package handlers

import (
	"slices"

	"callboard/i18n"
	"callboard/store"
)

// classMissing marks a step that should be there and is not.
const classMissing = "missing"

// milestone is one line of an entry's timeline.
type milestone struct {
	at    int64 // 0: it has no time, as it did not happen or not yet
	class string
	text  string
	due   bool // not yet, and not late either
}

// word stands in the place of a time.
func (m milestone) word(p *i18n.Printer) string {
	if m.class == classMissing {
		return p.T("word.missing")
	}
	return p.T("word.not_yet")
}

// course is what happened to an entry in order, with the steps that are missing and those that are due.
func (e entry) course(p *i18n.Printer) []milestone {
	var list []milestone
	missing := func(id string) { list = append(list, milestone{class: classMissing, text: p.T("step.missing_" + id)}) }
	for _, st := range e.steps {
		list = append(list, milestone{at: st.At, class: stepClass(st), text: stepText(p, st, e)})
		switch {
		case st.Name == store.StepLeftOver && !e.has(store.StepLate):
			missing("sent")
			missing("answer")
		case st.Name == store.StepNoAnswer && e.HTTPStatus == nil:
			missing("answer")
		case st.Name == store.StepAnswered && e.RequestID == "":
			missing("request_id")
		}
	}
	// A settlement by reading back says itself what was read.
	if e.ReadBackAt != 0 && (e.Settled == "" || e.ReadBackAt != e.SettledAt) {
		id, class := "step.read_back_same", "ok"
		if e.ReadBack != e.Wanted {
			id, class = "step.read_back_other", "care"
		}
		list = append(list, milestone{at: e.ReadBackAt, class: class, text: p.T(id)})
	}
	switch {
	case e.Open():
		list = append(list, milestone{due: true, text: p.T("step.due_settled")})
	case !e.readsBack() || e.ReadBackAt != 0:
	case e.NextCheckAt != 0:
		list = append(list, milestone{due: true, text: p.T("step.due_read_back")})
	default:
		missing("read_back")
	}
	return list
}

func (e entry) has(step string) bool {
	return slices.ContainsFunc(e.steps, func(st store.Step) bool { return st.Name == step })
}

// readsBack tells whether the cloud is looked at once more after the entry has ended.
func (e entry) readsBack() bool { return e.Settled != "" || e.Outcome == store.Applied }

func stepClass(st store.Step) string {
	switch st.Name {
	case store.StepMoved, store.StepStale, store.StepNotSent:
		return "care"
	case store.StepUnread:
		return "bad"
	case store.StepNoAnswer, store.StepLeftOver, store.StepLate:
		return "unsure"
	case store.StepAnswered:
		if st.Code != nil && *st.Code != 0 {
			return "bad"
		}
	}
	return "ok"
}
