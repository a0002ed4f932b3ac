package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// stateVersion is raised when the file can no longer be read by older code.
const stateVersion = 1

// appState is what Tencent would hold for one app. Callback and Token are replaced, never changed in place, so that
// the journal can share them.
type appState struct {
	Callback *Callback `json:"callback,omitempty"`
	Token    *Token    `json:"token,omitempty"`

	// Deliveries go to FormerURL until ActiveAt; "" means to nobody.
	FormerURL string    `json:"former_url,omitempty"`
	ActiveAt  time.Time `json:"active_at,omitzero"`
}

type stateFile struct {
	Version int                `json:"version"`
	Apps    map[int64]appState `json:"apps"`
}

// address is where deliveries go at the given time.
func (a appState) address(now time.Time) string {
	switch {
	case a.Callback == nil:
		return ""
	case now.Before(a.ActiveAt):
		return a.FormerURL
	default:
		return a.Callback.Url
	}
}

// replaceCallback starts the activation delay when the address changes. A removal holds at once.
func (s *Server) replaceCallback(state *appState, cb *Callback) {
	now := s.now()
	former := state.address(now)
	changed := cb != nil && (state.Callback == nil || cb.Url != state.Callback.Url)
	if changed && s.options.ActivationDelay > 0 {
		state.FormerURL, state.ActiveAt = former, now.Add(s.options.ActivationDelay)
	}
	if cb == nil || changed && s.options.ActivationDelay == 0 {
		state.FormerURL, state.ActiveAt = "", time.Time{}
	}
	state.Callback = cb
}

// change alters one app's state and writes the file; s.mu is held. The change stays in memory when writing fails.
func (s *Server) change(sdkappid int64, alter func(*appState)) error {
	state := s.states[sdkappid]
	alter(&state)
	s.states[sdkappid] = state
	return s.save()
}

func (s *Server) load() error {
	if s.options.File == "" {
		return nil
	}
	content, err := os.ReadFile(s.options.File)
	if errors.Is(err, fs.ErrNotExist) {
		// Written at once, so that a folder one may not write to is found out at the start.
		return s.save()
	}
	if err != nil {
		return fmt.Errorf("sandbox: read the state: %w", err)
	}
	var file stateFile
	if err := decodeStrict(bytes.NewReader(content), &file); err != nil {
		return fmt.Errorf("sandbox: read the state in %s: %w", s.options.File, err)
	}
	if file.Version != stateVersion {
		return fmt.Errorf("sandbox: the state in %s has version %d, not %d", s.options.File, file.Version, stateVersion)
	}
	for id, state := range file.Apps {
		s.states[id] = state
	}
	return nil
}

func (s *Server) save() error {
	if s.options.File == "" {
		return nil
	}
	content, err := json.Marshal(stateFile{Version: stateVersion, Apps: s.states})
	if err != nil {
		return fmt.Errorf("sandbox: write the state: %w", err)
	}
	if err := s.writeSynced(content); err != nil {
		return fmt.Errorf("sandbox: write the state: %w", err)
	}
	return nil
}

// writeSynced leaves either the old or the new content under the name, whenever the machine stops.
func (s *Server) writeSynced(content []byte) error {
	next := s.options.File + ".new"
	if err := writeFile(next, content); err != nil {
		return err
	}
	if err := s.rename(next, s.options.File); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(s.options.File))
}

func writeFile(name string, content []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(content); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := file.Sync(); err != nil {
		return errors.Join(err, file.Close())
	}
	return file.Close()
}

func renameFile(from, to string) error { return os.Rename(from, to) }

func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// decodeStrict reads exactly one JSON value without unknown fields.
func decodeStrict(from io.Reader, into any) error {
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one JSON value")
	}
	return nil
}

func cloneCallback(cb *Callback) *Callback {
	if cb == nil {
		return nil
	}
	list := slices.Clone(cb.CallbackCommandList)
	if list == nil {
		list = []string{}
	}
	return &Callback{Url: cb.Url, CallbackCommandList: list}
}

func cloneToken(t *Token) *Token {
	if t == nil {
		return nil
	}
	clone := *t
	return &clone
}
