package handlers

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// showHealth says that the process answers.
func (s *server) showHealth(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// showReadiness says whether the database can be written to.
func (s *server) showReadiness(c echo.Context) error {
	if !s.ready(c.Request().Context()) {
		return c.String(http.StatusServiceUnavailable, "not ready\n")
	}
	return c.String(http.StatusOK, "ready\n")
}

// readiness is kept for a second, as anybody may ask and each answer takes a write.
type readiness struct {
	mu sync.Mutex
	at time.Time
	ok bool
}

func (s *server) ready(ctx context.Context) bool {
	s.readiness.mu.Lock()
	defer s.readiness.mu.Unlock()
	if time.Since(s.readiness.at) < time.Second {
		return s.readiness.ok
	}
	// What is kept is for all, so one who asks and goes away must not decide it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	err := s.Store.Ping(ctx)
	if err != nil {
		s.Log.Error("not ready", "err", err)
	}
	s.readiness.at, s.readiness.ok = time.Now(), err == nil
	return err == nil
}

func showFavicon(c echo.Context) error { return c.Redirect(http.StatusSeeOther, assets.Favicon) }

func showStart(c echo.Context) error { return seeOther(c, "/apps") }
