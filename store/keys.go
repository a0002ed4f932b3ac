package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Keys is the key set: it encrypts secrets, each bound to the row and column it belongs to, and chains the audit rows.
// It lives outside the database. One that was loaded from a file follows the keys that are added to that file.
type Keys struct {
	mac  tink.MAC
	path string // "" when it is no file's

	mu   sync.Mutex
	ring *ring       // guarded by mu
	seen os.FileInfo // of the file that ring came from; guarded by mu
}

// ring is the encryption part of a key set.
type ring struct {
	handle  *keyset.Handle
	open    tink.AEAD
	primary keyID
	seal    map[keyID]tink.AEAD
}

// keyID is how Tink begins what a key encrypts: a version byte and the key's number.
type keyID string

const keyIDSize = 5

func keyIDOf(sealed []byte) keyID { return keyID(sealed[:min(len(sealed), keyIDSize)]) }

func newKeyID(number uint32) keyID {
	return keyID(binary.BigEndian.AppendUint32([]byte{1}, number))
}

func (k keyID) number() uint32 { return binary.BigEndian.Uint32([]byte(k)[1:]) }

func newRing(handle *keyset.Handle) (*ring, error) {
	r := &ring{handle: handle, primary: newKeyID(handle.KeysetInfo().GetPrimaryKeyId()), seal: map[keyID]tink.AEAD{}}
	var err error
	if r.open, err = aead.New(handle); err != nil {
		return nil, fmt.Errorf("using the key set: %w", err)
	}
	for _, key := range handle.KeysetInfo().GetKeyInfo() {
		one, err := withPrimary(handle, key.GetKeyId())
		if err != nil {
			return nil, err
		}
		if r.seal[newKeyID(key.GetKeyId())], err = aead.New(one); err != nil {
			return nil, fmt.Errorf("using the key set: %w", err)
		}
	}
	return r, nil
}

// withPrimary is the same key set, encrypting with another of its keys.
func withPrimary(handle *keyset.Handle, number uint32) (*keyset.Handle, error) {
	m := keyset.NewManagerFromHandle(handle)
	if err := m.SetPrimary(number); err != nil {
		return nil, fmt.Errorf("using the key set: %w", err)
	}
	h, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("using the key set: %w", err)
	}
	return h, nil
}

// keyFile is the form of a key set on disk: two Tink key sets in JSON.
type keyFile struct {
	Encryption json.RawMessage `json:"encryption"`
	Audit      json.RawMessage `json:"audit"`
}

// NewKeys makes a fresh key set and returns it with its text, which the caller keeps secret.
func NewKeys() (*Keys, []byte, error) {
	encryption, err := keyset.NewHandle(aead.XAES256GCM192BitNonceKeyTemplate())
	if err != nil {
		return nil, nil, fmt.Errorf("making the key set: %w", err)
	}
	audit, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	if err != nil {
		return nil, nil, fmt.Errorf("making the key set: %w", err)
	}
	text, err := keysText(encryption, audit)
	if err != nil {
		return nil, nil, err
	}
	keys, err := ParseKeys(text)
	return keys, text, err
}

func keysText(encryption, audit *keyset.Handle) ([]byte, error) {
	var file keyFile
	for handle, into := range map[*keyset.Handle]*json.RawMessage{encryption: &file.Encryption, audit: &file.Audit} {
		var text bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
			return nil, fmt.Errorf("writing the key set: %w", err)
		}
		*into = text.Bytes()
	}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the key set: %w", err)
	}
	return append(text, '\n'), nil
}

// ParseKeys reads the text of a key set. Its errors never quote the text.
func ParseKeys(text []byte) (*Keys, error) {
	encryption, audit, err := readKeys(text)
	if err != nil {
		return nil, err
	}
	k := &Keys{}
	if k.ring, err = newRing(encryption); err != nil {
		return nil, err
	}
	if k.mac, err = mac.New(audit); err != nil {
		return nil, fmt.Errorf("using the key set: %w", err)
	}
	return k, nil
}

func readKeys(text []byte) (encryption, audit *keyset.Handle, err error) {
	var file keyFile
	if json.Unmarshal(text, &file) != nil {
		return nil, nil, errors.New("the key set is not readable: it is not the JSON that Callboard wrote")
	}
	if encryption, err = insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(file.Encryption))); err != nil {
		return nil, nil, errors.New("the key set is not readable: its encryption part is damaged")
	}
	if audit, err = insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(file.Audit))); err != nil {
		return nil, nil, errors.New("the key set is not readable: its audit part is damaged")
	}
	return encryption, audit, nil
}

// LoadKeys reads the key set file at path, or makes it, readable by its owner alone, when there is none and create is true.
func LoadKeys(path string, create bool) (*Keys, error) {
	keys, err := loadKeys(path)
	if err == nil || !errors.Is(err, os.ErrNotExist) || !create {
		return keys, err
	}
	_, text, err := NewKeys()
	if err != nil {
		return nil, err
	}
	if err := writeSynced(path, text); err != nil {
		return nil, err
	}
	return loadKeys(path)
}

func loadKeys(path string) (*Keys, error) {
	// Before the text: a file that changes between the two is read again later, not missed.
	seen, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key set: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key set: %w", err)
	}
	keys, err := ParseKeys(text)
	if err != nil {
		return nil, err
	}
	keys.path, keys.seen = path, seen
	return keys, nil
}

// having gives the ring that has a key. When ours has not, the file is looked at, and read if it is not the one that was
// read last; what it holds is believed only if the key is there. So strange bytes cost one look, and a foreign file takes
// nothing away.
func (k *Keys) having(id keyID) (*ring, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ring.seal[id] != nil {
		return k.ring, nil
	}
	if k.path == "" {
		return nil, ErrKeys
	}
	now, err := os.Stat(k.path)
	if err != nil || sameFile(now, k.seen) {
		return nil, ErrKeys
	}
	k.seen = now
	fresh, err := loadKeys(k.path)
	if err != nil || fresh.ring.seal[id] == nil {
		return nil, ErrKeys
	}
	k.ring, k.seen = fresh.ring, fresh.seen
	return k.ring, nil
}

func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func (k *Keys) current() *ring {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ring
}

// writeSynced puts the key set on the disk, whole or not at all, before anything is encrypted with it. It never replaces
// a file that is there.
func writeSynced(path string, text []byte) error {
	return putFile(path, text, func(temporary string) error { return errors.Join(os.Link(temporary, path), os.Remove(temporary)) }, nil)
}

// replaceSynced puts another key set in the place of the file at path; whoever looks finds the old or the new one, whole,
// also after a power cut. It keeps the file's owner, who may be another than the one who calls.
func replaceSynced(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("writing the key set: %w", err)
	}
	old, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("writing the key set: %w", err)
	}
	if old.Mode().Perm()&0o200 == 0 {
		return fmt.Errorf("writing the key set: %s is read-only", path)
	}
	return putFile(path, text, func(temporary string) error { return os.Rename(temporary, path) }, old)
}

// putFile writes a file beside path, syncs it, lets place move it to path, and syncs the folder.
func putFile(path string, text []byte, place func(temporary string) error, owner os.FileInfo) error {
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the key set: %w", err)
	}
	err = errors.Join(f.Chmod(0o600), giveTo(f, owner))
	if err == nil {
		_, err = f.Write(text)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		err = errors.Join(err, os.Remove(temporary))
	} else if err = place(temporary); err != nil {
		_ = os.Remove(temporary) // it may be gone already
	}
	if err != nil {
		return fmt.Errorf("writing the key set: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("writing the key set: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// giveTo gives a file the owner of another, if it has one.
func giveTo(f *os.File, other os.FileInfo) error {
	if other == nil {
		return nil
	}
	o, ok := other.Sys().(*syscall.Stat_t)
	if !ok || int(o.Uid) == os.Geteuid() {
		return nil
	}
	return f.Chown(int(o.Uid), int(o.Gid))
}

// seal encrypts a secret for one place, such as "apps/1400000001/secret"; opened elsewhere it fails. ErrKeys: the key is
// not in the key set.
func (k *Keys) seal(id keyID, place string, secret []byte) ([]byte, error) {
	r, err := k.having(id)
	if err != nil {
		return nil, fmt.Errorf("%w: the key that secrets are encrypted with now is not in it", err)
	}
	sealed, err := r.seal[id].Encrypt(secret, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	return sealed, nil
}

func (k *Keys) unseal(place string, sealed []byte) ([]byte, error) {
	r, err := k.having(keyIDOf(sealed))
	if err != nil {
		return nil, fmt.Errorf("%w: a stored secret could not be decrypted", ErrKeys)
	}
	secret, err := r.open.Decrypt(sealed, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("%w: a stored secret could not be decrypted", ErrKeys)
	}
	return secret, nil
}

// unseal decrypts a value of a sealed column.
func (s *Store) unseal(c sealedColumn, key any, sealed []byte) ([]byte, error) {
	return s.keys.unseal(c.place(key), sealed)
}

// keyCheck names the row of meta with a known value, encrypted. The key it is encrypted with is the one that every
// process encrypts with: see sealing.
const (
	keyCheck     = "key-check"
	keyCheckText = "callboard"
)

// keysFit tells whether the known value opens with these keys: ErrKeys when not; false when there is none yet.
func (s *Store) keysFit(ctx context.Context) (known bool, err error) {
	var sealed []byte
	err = s.writer.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, keyCheck).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, unavailable(err)
	}
	if _, err := s.keys.unseal(keyCheck, sealed); err != nil {
		return false, ErrKeys
	}
	return true, nil
}

// checkKeys keeps a known value encrypted, so that a wrong key set is found at the start and not at the first secret.
func (s *Store) checkKeys(ctx context.Context) error {
	known, err := s.keysFit(ctx)
	if known || err != nil {
		return err
	}
	sealed, err := s.keys.seal(s.keys.current().primary, keyCheck, []byte(keyCheckText))
	if err != nil {
		return err
	}
	_, err = s.writer.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, keyCheck, sealed)
	if err != nil {
		return unavailable(err)
	}
	// Another process may have been first, with other keys.
	return s.checkKeys(ctx)
}
