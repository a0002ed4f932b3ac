package handlers

import (
	"errors"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/static"
)

// routes lists every route, page by page. Who may use one stands in auth.Routes.
func (s *server) routes(e *echo.Echo) error {
	var missing []error
	add := func(method, path string, h echo.HandlerFunc, guards func(auth.Need) []echo.MiddlewareFunc) {
		need, err := auth.Of(method, path)
		if err != nil {
			missing = append(missing, err)
			return
		}
		e.Add(method, path, h, guards(need)...)
		if method == "GET" {
			e.Add("HEAD", path, h, guards(need)...)
		}
	}
	r := func(method, path string, h echo.HandlerFunc) { add(method, path, h, s.guards) }
	// What is no page asks for nobody's session, so that it answers when the database does not.
	file := func(path string, h echo.HandlerFunc) { add("GET", path, h, s.openGuards) }
	e.Use(answerHead, s.identify, s.recoverPanics, s.secureHeaders, s.logRequest, limitHeader, s.limitBody, withoutSlash(), gzipPages())

	file("/healthz", s.showHealth)
	file("/readyz", s.showReadiness)
	file("/static/*", echo.WrapHandler(static.Handler()))
	file("/favicon.ico", showFavicon)

	r("GET", "/setup", s.showSetup)
	r("POST", "/setup", s.saveSetup)
	r("GET", "/sign-in", s.showSignIn)
	r("POST", "/sign-in", s.signIn)
	r("POST", "/sign-out", s.signOut)
	r("GET", "/welcome/:token", s.showWelcome)
	r("POST", "/welcome/:token", s.saveWelcome)

	r("GET", "/", showStart)
	r("GET", "/overview", s.showOverview)
	r("GET", "/apps", s.showApps)
	r("GET", "/apps/new", s.showNewApp)
	r("POST", "/apps/new", s.addApp)
	r("GET", "/apps/:sdkappid", s.showApp)
	r("POST", "/apps/:sdkappid", s.actOnApp)
	r("GET", "/apps/:sdkappid/settings", s.showSettings)
	r("POST", "/apps/:sdkappid/settings", s.saveSettings)

	r("GET", "/apps/:sdkappid/callback", s.showCallback)
	r("POST", "/apps/:sdkappid/callback/review", s.postCallback)
	r("GET", "/apps/:sdkappid/callback/review/:plan", s.showPlan)
	r("POST", "/apps/:sdkappid/callback/apply", s.applyPlan)
	// A rejected post leaves its address in the browser; asked for again, it leads back to the form.
	r("GET", "/apps/:sdkappid/callback/review", s.showApp)
	r("GET", "/apps/:sdkappid/callback/apply", s.showApp)

	r("GET", "/apps/:sdkappid/token", s.showToken)
	r("POST", "/apps/:sdkappid/token", s.actOnToken)
	r("GET", "/apps/:sdkappid/token/check", s.showTokenCheck)
	r("POST", "/apps/:sdkappid/token/check", s.checkToken)

	r("GET", "/apps/:sdkappid/compare", s.showCompare)
	r("GET", "/apps/:sdkappid/at", s.showAt)

	r("GET", "/changes/:number", s.showChange)
	r("POST", "/changes/:number", s.actOnChange)
	r("GET", "/changes/:number/bundle", s.showBundle)
	r("POST", "/changes/:number/bundle", s.downloadBundle)
	r("GET", "/history", s.showHistory)
	r("GET", "/history.jsonl", s.exportJSONLines)
	r("GET", "/history.csv", s.exportCSV)

	r("GET", "/events", s.showEvents)
	r("GET", "/errors", s.showErrorCodes)
	r("GET", "/errors/:code", s.showErrorCode)
	r("GET", "/users", s.showUsers)
	r("GET", "/users/new", s.showInvite)
	r("POST", "/users/new", s.invite)
	r("GET", "/users/:id", s.showUser)
	r("POST", "/users/:id", s.actOnUser)
	r("GET", "/users/roles", s.showRoles)
	r("GET", "/audit", s.showAudit)

	r("GET", "/account", s.showAccount)
	r("POST", "/account", s.saveAccount)
	return errors.Join(missing...)
}
