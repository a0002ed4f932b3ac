package store

import "context"

// Exchange is the sanitised request and answer of a change.
type Exchange struct {
	Request    []byte
	Answer     []byte
	AnswerSize int64
	AnswerCut  bool
}

// WholeEntry is an entry with what its page shows beside it. What it points to is shared, so it is only read.
type WholeEntry struct {
	Change
	Call   *Exchange // nil when no call was made
	Steps  []Step    // the timeline, in order
	Of     App       // its app as it is now
	Beside Beside
}

// told is an entry in memory. Whoever writes a step or an exchange writes the entry's row in the same transaction, so the
// version of that row speaks for them too; that of the app's speaks for what is beside it, but for what Related asks anew.
type told struct {
	change Change
	call   *Exchange
	steps  []Step
	beside Beside
	app    int64 // version of the app's row
}

const (
	toldColumns = `changes.row_version, apps.row_version, ` + plansColumn
	ofEntry     = ` FROM changes JOIN apps ON apps.sdkappid = changes.sdkappid`
)

// WholeEntry returns one entry; ErrNotFound when there is none. One that is looked at again comes from memory.
func (s *Store) WholeEntry(ctx context.Context, number int64) (WholeEntry, error) {
	kept, ok := s.told.find(number)
	e := kept.value
	if ok {
		var version, app int64
		_, err := found(0, s.row(ctx, `SELECT `+toldColumns+ofEntry+` WHERE changes.number = $1`, number).Scan(&version, &app, &e.beside.plans))
		if err != nil {
			return WholeEntry{}, err
		}
		ok = version == kept.version && app == e.app
	}
	if !ok {
		var err error
		if e, err = s.tell(ctx, number); err != nil {
			return WholeEntry{}, err
		}
	}
	app, err := s.apps.at(ctx, s, e.change.SDKAppID, e.app)
	return WholeEntry{Change: e.change, Call: e.call, Steps: e.steps, Of: app, Beside: e.beside}, err
}

// tell reads an entry and keeps it in memory.
func (s *Store) tell(ctx context.Context, number int64) (told, error) {
	var e versioned[told]
	var x Exchange
	var called, cut bool
	v := &e.value
	_, err := found(e, s.row(ctx, `SELECT `+changeColumns+`, `+toldColumns+`, `+besideColumns+`, x.number IS NOT NULL, x.request, x.answer, COALESCE(x.answer_size, 0), COALESCE(x.answer_cut, 0) = 1`+
		ofEntry+` LEFT JOIN exchanges x ON x.number = changes.number WHERE changes.number = $1`, number, relatedLook).
		Scan(append(v.change.fields(), &e.version, &v.app, &v.beside.plans, &v.beside.later, &v.beside.drift, &called, &x.Request, &x.Answer, &x.AnswerSize, &cut)...))
	if err != nil {
		return *v, err
	}
	if x.AnswerCut = cut; called {
		v.call = &x
	}
	// After the row, so that none is missing that the version speaks for.
	if v.steps, err = s.steps(ctx, number); err == nil {
		s.told.keep(number, e)
	}
	return *v, err
}

func (s *Store) steps(ctx context.Context, number int64) ([]Step, error) {
	return all(ctx, s, func(r scanner) (Step, error) {
		var st Step
		err := r.Scan(&st.At, &st.Name, &st.Code, &st.Detail)
		return st, err
	}, `SELECT at, step, code, detail FROM change_steps WHERE number = $1 ORDER BY seq`, number)
}
