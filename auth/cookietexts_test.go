package auth

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCookieHoldsTextsAlone(t *testing.T) {
	tests := []struct {
		name   string
		values any
		want   string
	}{
		{"nothing", map[any]any{}, `{}`},
		{"texts", map[any]any{"id": "x", "/a": `"<é>`}, `{"/a":"\"\u003cé\u003e","id":"x"}`},
		{"a number", map[any]any{"id": 1}, ""},
		{"a name that is none", map[any]any{1: "x"}, ""},
		{"another map", map[string]string{"id": "x"}, ""},
	}
	for _, x := range tests {
		got, err := texts{}.Serialize(x.values)
		if string(got) != x.want || (x.want == "") != errors.Is(err, errNotTexts) {
			t.Errorf("%s is written as %q, %v, want %q", x.name, got, err, x.want)
		}
		if x.want == "" {
			continue
		}
		var back map[any]any
		if err := (texts{}).Deserialize(got, &back); err != nil || !cmp.Equal(back, x.values) {
			t.Errorf("%s is read as %v, %v", x.name, back, err)
		}
	}
	for _, written := range []string{"", "[]", `{"id":1}`, "\x0c\xff"} {
		var back map[any]any
		if err := (texts{}).Deserialize([]byte(written), &back); err == nil {
			t.Errorf("%q is read as %v", written, back)
		}
	}
}
