package api

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var openAPIDocument []byte

// health is the answer of both probes.
type health struct {
	Ready    bool     `json:"ready"`    // the gateway takes new calls
	Degraded []string `json:"degraded"` // what it does without just now
}

func (s *server) health() health {
	ready, degraded := s.Health.Ready()
	if degraded == nil {
		degraded = []string{}
	}
	return health{ready, degraded}
}

// healthz is 200 as long as the process can answer at all: what is missing
// besides is not cured by killing it.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, s.health())
}

// readyz is 503 while new calls should go elsewhere.
func (s *server) readyz(w http.ResponseWriter, _ *http.Request) error {
	h := s.health()
	if !h.Ready {
		return writeCode(w, http.StatusServiceUnavailable, h)
	}
	return writeJSON(w, h)
}

func (s *server) metrics(w http.ResponseWriter, r *http.Request) error {
	s.Metrics.ServeHTTP(w, r)
	return nil
}

func (s *server) openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	w.Write(openAPIDocument)
	return nil
}
