package sandbox

import (
	"context"
	"slices"
	"time"
)

// journalLimit bounds the memory of a long run; the oldest entries go first.
const journalLimit = 100_000

// Entry is one request to the played API, written when it was decided. Entries stand in the order in which the requests
// were decided, so Before and After of one app form a chain.
type Entry struct {
	At         time.Time `json:"at"`
	Random     uint32    `json:"random"`     // as sent; 0 when it was not a number in range
	SDKAppID   int64     `json:"sdkappid"`   // as sent; 0 when it was not a number
	Command    string    `json:"command"`    // one of the seven, else the path as sent
	Identifier string    `json:"identifier"` // as sent
	Host       string    `json:"host"`       // Host header
	Verdict    int64     `json:"verdict"`    // ErrorCode decided on, scripted ones included; 0 too when a fault stopped a good request
	Fault      string    `json:"fault"`      // the parts of the fault that hit it; "" for none
	Applied    bool      `json:"applied"`    // callback or token was written or removed
	Before     *Callback `json:"before"`     // callback commands that were carried out: what the app had; nil = none
	After      *Callback `json:"after"`      // and has now; both nil for token commands
	RequestID  string    `json:"request_id"` // made for every request, also when the answer left it out
	Answered   bool      `json:"answered"`   // the whole answer was handed to the connection
}

// Journal returns a copy of the entries, oldest first, at most the last 100,000.
func (s *Server) Journal() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make([]Entry, 0, len(s.journal))
	for _, entry := range s.journal {
		shown := *entry
		shown.Before, shown.After = cloneCallback(entry.Before), cloneCallback(entry.After)
		entries = append(entries, shown)
	}
	return entries
}

// ClearJournal forgets all entries.
func (s *Server) ClearJournal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal = nil
}

// AwaitJournal returns the journal once it holds at least n entries, or the context's error.
func (s *Server) AwaitJournal(ctx context.Context, n int) ([]Entry, error) {
	if err := s.await(ctx, func() bool { return len(s.journal) >= n }); err != nil {
		return nil, err
	}
	return s.Journal(), nil
}

// record needs s.mu.
func (s *Server) record(entry *Entry) {
	if len(s.journal) >= journalLimit {
		s.journal = slices.Delete(s.journal, 0, journalLimit/10)
	}
	s.journal = append(s.journal, entry)
	s.announce()
}

func (s *Server) setAnswered(entry *Entry, answered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.Answered = answered
}
