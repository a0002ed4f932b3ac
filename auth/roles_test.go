package auth

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAllows(t *testing.T) {
	needs := []Need{Anyone, Support, Operator, Admin, "", "owner"}
	tests := []struct {
		role string
		want string // one letter per need, y or n
	}{
		{"", "ynnnnn"},
		{"support", "yynnnn"},
		{"operator", "yyynnn"},
		{"admin", "yyyynn"},
		// Roles that do not exist, the names of needs among them.
		{"anyone", "ynnnnn"},
		{"Admin", "ynnnnn"},
		{"admin ", "ynnnnn"},
		{"owner", "ynnnnn"},
	}
	for _, test := range tests {
		for i, need := range needs {
			if got := need.Allows(test.role); got != (test.want[i] == 'y') {
				t.Errorf("%q allows %q: %v", need, test.role, got)
			}
		}
	}
}

func TestRoutes(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Routes {
		key := r.Method + " " + r.Path
		if seen[key] {
			t.Errorf("%s stands in the table twice", key)
		}
		seen[key] = true
		if !slices.Contains([]Need{Anyone, Support, Operator, Admin}, r.Need) {
			t.Errorf("%s needs %q, which is no need", key, r.Need)
		}
		if !slices.Contains([]string{http.MethodGet, http.MethodPost}, r.Method) || !strings.HasPrefix(r.Path, "/") {
			t.Errorf("%s is an odd route", key)
		}
		if need, err := Of(r.Method, r.Path); need != r.Need || err != nil {
			t.Errorf("Of(%s) is %q, %v; want %q", key, need, err, r.Need)
		}
	}
	for _, r := range []Route{{"PUT", "/apps", ""}, {"GET", "/apps/", ""}, {"GET", "", ""}, {"", "/apps", ""}} {
		if need, err := Of(r.Method, r.Path); err == nil || need != "" || !strings.Contains(err.Error(), r.Method+" "+r.Path) {
			t.Errorf("Of(%q, %q) is %q, %v; want an error that names it", r.Method, r.Path, need, err)
		}
	}
}
