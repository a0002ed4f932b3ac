package views

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"callboard/i18n"
)

// counted counts how often a row was really written.
func counted(n *int) func(Base, HistoryRow) templ.Component {
	return func(b Base, r HistoryRow) templ.Component {
		return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
			*n++
			_, err := fmt.Fprint(w, b.P.Language, " ", r.Number, " ", r.State.Text)
			return err
		})
	}
}

func rowOf(r HistoryRow) Row[HistoryRow] {
	return Row[HistoryRow]{Key: r, Make: func() HistoryRow { return r }}
}

func TestKeptRows(t *testing.T) {
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	var memory Written
	en, zh := Base{P: texts.Printer("en"), Written: &memory}, Base{P: texts.Printer("zh-Hans"), Written: &memory}
	pending, applied := HistoryRow{Number: "kept-1", State: State{Text: "pending"}}, HistoryRow{Number: "kept-1", State: State{Text: "applied"}}
	n := 0
	for _, tt := range []struct {
		name   string
		base   Base
		row    HistoryRow
		want   string
		writes int
	}{
		{"first", en, pending, "en kept-1 pending", 1},
		{"the same again", en, pending, "en kept-1 pending", 1},
		{"another language", zh, pending, "zh-Hans kept-1 pending", 2},
		{"the same entry, ended meanwhile", en, applied, "en kept-1 applied", 3},
		{"and again", en, applied, "en kept-1 applied", 3},
		{"of another console", Base{P: texts.Printer("en"), Written: new(Written)}, applied, "en kept-1 applied", 4},
	} {
		var text strings.Builder
		if err := kept(tt.base, rowOf(tt.row), counted(&n)).Render(t.Context(), &text); err != nil || text.String() != tt.want || n != tt.writes {
			t.Errorf("%s: %q, %v after %d writes, want %q after %d", tt.name, text.String(), err, n, tt.want, tt.writes)
		}
	}
}

func TestKeptRowsAreBounded(t *testing.T) {
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	var memory Written
	n := 0
	for i := range 3 * keptRows {
		if err := kept(Base{P: texts.Printer("en"), Written: &memory}, rowOf(HistoryRow{Number: fmt.Sprint("bounded-", i)}), counted(&n)).Render(t.Context(), io.Discard); err != nil {
			t.Fatal(err)
		}
		if len(memory.rows) > keptRows {
			t.Fatalf("%d rows are kept", len(memory.rows))
		}
	}
}
