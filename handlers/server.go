// Package handlers turns requests into acts of package changes and records into pages.
package handlers

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/auth"
	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
	"callboard/views"
)

// Options are what the pages need.
type Options struct {
	Store    *store.Store
	Changes  *changes.Service
	Regions  *tencent.Directory
	Texts    *i18n.Catalogue
	Cookies  *auth.Cookies
	Sessions store.SessionLimits
	Log      *slog.Logger
	Clock    func() time.Time
	Zone     *time.Location // for people who chose none
	Version  string

	// PublicURL is where browsers reach the console; nil: as the request says, over plain HTTP.
	PublicURL *url.URL
	// TrustedProxies are believed about the client's address; nobody else is.
	TrustedProxies []netip.Prefix
	// SetupCode opens /setup while nobody exists.
	SetupCode string
	// Retention is how long entries are kept, 0 for ever.
	Retention time.Duration
	// Sandbox puts a banner on every page.
	Sandbox bool
}

// server holds what the handlers share.
type server struct {
	Options
	attention attentionCache
	counts    countCache
	written   views.Written
	readiness readiness
	underWay  inFlight
}

// New builds the console's pages. It fails when a route has no line in the table of roles.
func New(o Options) (http.Handler, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	e, err := (&server{Options: o}).router()
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (s *server) router() (*echo.Echo, error) {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.handleError
	e.IPExtractor = s.clientAddress
	if err := s.routes(e); err != nil {
		return nil, err
	}
	return e, nil
}

// attentionCache keeps the counts of the header for a moment, as every page shows them.
type attentionCache struct {
	mu   sync.Mutex
	at   time.Time
	last store.Attention
}

const (
	attentionLife = 2 * time.Second
	attentionWait = 3 * time.Second
)
