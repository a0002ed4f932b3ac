package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Keys is the key set: it encrypts secrets, each bound to the row and column it belongs to, and chains the audit rows.
// It lives outside the database.
type Keys struct {
	aead tink.AEAD
	mac  tink.MAC
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
	var file keyFile
	for handle, into := range map[*keyset.Handle]*json.RawMessage{encryption: &file.Encryption, audit: &file.Audit} {
		var text bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
			return nil, nil, fmt.Errorf("writing the key set: %w", err)
		}
		*into = text.Bytes()
	}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return nil, nil, fmt.Errorf("writing the key set: %w", err)
	}
	keys, err := ParseKeys(text)
	return keys, append(text, '\n'), err
}

// ParseKeys reads the text of a key set. Its errors never quote the text.
func ParseKeys(text []byte) (*Keys, error) {
	var file keyFile
	if json.Unmarshal(text, &file) != nil {
		return nil, errors.New("the key set is not readable: it is not the JSON that Callboard wrote")
	}
	encryption, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(file.Encryption)))
	if err != nil {
		return nil, errors.New("the key set is not readable: its encryption part is damaged")
	}
	audit, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(file.Audit)))
	if err != nil {
		return nil, errors.New("the key set is not readable: its audit part is damaged")
	}
	k := &Keys{}
	if k.aead, err = aead.New(encryption); err != nil {
		return nil, fmt.Errorf("using the key set: %w", err)
	}
	if k.mac, err = mac.New(audit); err != nil {
		return nil, fmt.Errorf("using the key set: %w", err)
	}
	return k, nil
}

// LoadKeys reads the key set file at path, or makes it, readable by its owner alone, when there is none and create is true.
func LoadKeys(path string, create bool) (*Keys, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return ParseKeys(text)
	}
	if !errors.Is(err, os.ErrNotExist) || !create {
		return nil, fmt.Errorf("reading the key set: %w", err)
	}
	keys, text, err := NewKeys()
	if err != nil {
		return nil, err
	}
	return keys, writeSynced(path, text)
}

// writeSynced puts the key set on the disk, whole or not at all, before anything is encrypted with it. It never replaces
// a file that is there.
func writeSynced(path string, text []byte) error {
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the key set: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(temporary, path)
	}
	if err = errors.Join(err, os.Remove(temporary)); err != nil {
		return fmt.Errorf("writing the key set: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("writing the key set: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// seal encrypts a secret for one place, such as "apps/1400000001/secret"; opened elsewhere it fails.
func (s *Store) seal(place string, secret []byte) ([]byte, error) {
	sealed, err := s.keys.aead.Encrypt(secret, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	return sealed, nil
}

func (s *Store) unseal(place string, sealed []byte) ([]byte, error) {
	secret, err := s.keys.aead.Decrypt(sealed, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("%w: a stored secret could not be decrypted", ErrKeys)
	}
	return secret, nil
}

const keyCheck = "key-check"

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
	if _, err := s.unseal(keyCheck, sealed); err != nil {
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
	sealed, err := s.seal(keyCheck, []byte("callboard"))
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
