package auth

import (
	"fmt"
	"slices"
)

// Need is what a route asks of its caller.
type Need string

// Needs, from least to most. Each role has what the ones before it have.
const (
	Anyone   Need = "anyone"   // signed in or not
	Support  Need = "support"  // reads everything but secrets
	Operator Need = "operator" // also checks and changes callbacks
	Admin    Need = "admin"    // also apps, people and the audit
)

var order = []Need{Anyone, Support, Operator, Admin}

// Allows tells whether a role ("" for nobody) meets a need.
func (n Need) Allows(role string) bool {
	if n == Anyone {
		return true
	}
	have, least := slices.Index(order, Need(role)), slices.Index(order, n)
	return have > 0 && least > 0 && have >= least
}

// Route is one line of the table.
type Route struct {
	Method, Path string
	Need         Need
}

// Routes is the one table of who may use what. A route that is not in it stops the start.
var Routes = []Route{
	{"GET", "/healthz", Anyone},
	{"GET", "/readyz", Anyone},
	{"GET", "/static/*", Anyone},
	{"GET", "/favicon.ico", Anyone},
	{"GET", "/setup", Anyone},
	{"POST", "/setup", Anyone},
	{"GET", "/sign-in", Anyone},
	{"POST", "/sign-in", Anyone},
	{"GET", "/welcome/:token", Anyone},
	{"POST", "/welcome/:token", Anyone},
	{"POST", "/sign-out", Support},
	{"GET", "/", Support},
	{"GET", "/overview", Support},
	{"GET", "/apps", Support},
	{"GET", "/apps/new", Admin},
	{"POST", "/apps/new", Admin},
	{"GET", "/apps/:sdkappid", Support},
	{"POST", "/apps/:sdkappid", Operator},
	{"GET", "/apps/:sdkappid/settings", Admin},
	{"POST", "/apps/:sdkappid/settings", Admin},
	{"GET", "/apps/:sdkappid/callback", Support},
	{"POST", "/apps/:sdkappid/callback/review", Operator},
	{"GET", "/apps/:sdkappid/callback/review/:plan", Support},
	{"POST", "/apps/:sdkappid/callback/apply", Operator},
	{"GET", "/apps/:sdkappid/callback/review", Support},
	{"GET", "/apps/:sdkappid/callback/apply", Support},
	{"GET", "/apps/:sdkappid/token", Support},
	{"POST", "/apps/:sdkappid/token", Operator},
	{"GET", "/apps/:sdkappid/token/check", Support},
	{"POST", "/apps/:sdkappid/token/check", Support},
	{"GET", "/apps/:sdkappid/compare", Support},
	{"GET", "/apps/:sdkappid/at", Support},
	{"GET", "/changes/:number", Support},
	{"POST", "/changes/:number", Operator},
	{"GET", "/changes/:number/bundle", Support},
	{"POST", "/changes/:number/bundle", Support},
	{"GET", "/history", Support},
	{"GET", "/history.jsonl", Support},
	{"GET", "/history.csv", Support},
	{"GET", "/events", Support},
	{"GET", "/errors", Support},
	{"GET", "/errors/:code", Support},
	{"GET", "/users", Admin},
	{"GET", "/users/new", Admin},
	{"POST", "/users/new", Admin},
	{"GET", "/users/:id", Admin},
	{"POST", "/users/:id", Admin},
	{"GET", "/users/roles", Support},
	{"GET", "/audit", Admin},
	{"GET", "/account", Support},
	{"POST", "/account", Support},
}

// Of returns the need of a route; an error when the table lacks it.
func Of(method, path string) (Need, error) {
	for _, r := range Routes {
		if r.Method == method && r.Path == path {
			return r.Need, nil
		}
	}
	return "", fmt.Errorf("the route %s %s is missing in the table of roles", method, path)
}
