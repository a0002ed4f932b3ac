package handlers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestReadinessIsNobodysToSpoil has somebody ask and go away at once: what others are told does not depend on it.
func TestReadinessIsNobodysToSpoil(t *testing.T) {
	w := newWorld(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	w.pages.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(gone, http.MethodGet, "/readyz", http.NoBody))
	wantStatus(t, w.browser().get("/readyz"), http.StatusOK)
}
