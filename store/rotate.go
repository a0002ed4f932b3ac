package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// sealedColumn is a column of encrypted secrets, and the column that names their rows.
type sealedColumn struct{ table, key, name string }

var (
	appSecrets = sealedColumn{"apps", "sdkappid", "secret"}
	cookieKeys = sealedColumn{"cookie_keys", "id", "sealed"}
	planTokens = sealedColumn{"plans", "id", "token"}
)

// sealedColumns are all of them. Who encrypts or decrypts has to name one, and rotation goes through all.
var sealedColumns = []sealedColumn{appSecrets, cookieKeys, planTokens}

// place is what a value is bound to.
func (c sealedColumn) place(key any) string { return fmt.Sprintf("%s/%v/%s", c.table, key, c.name) }

var (
	// ErrKeyFile says that the key set is in no file, or that its file could not be read or written. Nothing was lost.
	ErrKeyFile  = errors.New("the key set file cannot be changed")
	errKeysBusy = errors.New("somebody else is writing it")
)

// KeysLeftError says that keys cannot be retired, because secrets are not encrypted with the newest one.
type KeysLeftError struct{ Secrets int }

func (e *KeysLeftError) Error() string {
	return fmt.Sprintf("%d secrets are encrypted with older keys", e.Secrets)
}

// sealing runs a writing transaction that encrypts secrets. Every process begins one by taking the row of the key check,
// and encrypts with the key that this row is encrypted with, whatever its own copy of the key set says. So from the moment
// a rotation has encrypted that row anew, no process commits anything under an older key: those that were at it held the
// row and have ended, those that come later see it. That is why retiring can trust its count.
func (s *Store) sealing(ctx context.Context, f func(*tx) error) error {
	return s.write(ctx, func(t *tx) error {
		var sealed []byte
		if err := t.row(`SELECT value FROM meta WHERE name = $1{lock}`, keyCheck).Scan(&sealed); err != nil {
			return err
		}
		t.key = keyIDOf(sealed)
		return f(t)
	})
}

// seal encrypts a value of a sealed column, in a sealing transaction.
func (t *tx) seal(c sealedColumn, key any, secret []byte) ([]byte, error) {
	return t.s.keys.seal(t.key, c.place(key), secret)
}

// KeyRotation is what came of a rotation.
type KeyRotation struct {
	Key      uint32 // the number of the newest key
	Added    bool   // by this call; otherwise a rotation of before was gone on with
	Prepared bool   // the key is in the file, and not in use yet
	Secrets  int    // encrypted anew by this call
}

// RotateKeys adds a key to the key set file and encrypts every secret with it, one by one. It can be interrupted anywhere
// and called again: then it finishes what it had begun, and adds no key. Consoles may run meanwhile and need no restart,
// if they see the same file. With prepare it only adds the key, so that copies of the file can be brought to other
// machines before anything is encrypted with it. The audit's key stays. ErrKeyFile; ErrKeys when the file lacks a key, or
// when there is a secret that no key opens, which is left as it is.
func (s *Store) RotateKeys(ctx context.Context, a Actor, prepare bool) (KeyRotation, error) {
	r, err := s.addKey(ctx, a)
	if err != nil || prepare {
		return r, err
	}
	if err := s.switchKey(ctx, a); err != nil {
		return r, err
	}
	r.Prepared = false
	var damaged error
	for _, c := range sealedColumns {
		n, err := s.resealColumn(ctx, c)
		r.Secrets += n
		damaged = errors.Join(damaged, err)
	}
	return r, damaged
}

// addKey puts a fresh key into the file, unless a rotation of before is not finished.
func (s *Store) addKey(ctx context.Context, a Actor) (KeyRotation, error) {
	var r KeyRotation
	err := s.onKeyFile(ctx, func(t *tx, file *ring) (*keyset.Handle, error) {
		left, err := t.sealedWithOthers(t.key)
		if err != nil {
			return nil, err
		}
		if file.primary != t.key || left > 0 {
			r = KeyRotation{Key: file.primary.number(), Prepared: file.primary != t.key}
			return nil, nil
		}
		m := keyset.NewManagerFromHandle(file.handle)
		number, err := m.Add(aead.XAES256GCM192BitNonceKeyTemplate())
		if err != nil {
			return nil, fmt.Errorf("making a key: %w", err)
		}
		if err := m.SetPrimary(number); err != nil {
			return nil, fmt.Errorf("making a key: %w", err)
		}
		r = KeyRotation{Key: number, Added: true, Prepared: true}
		if err := t.audit(a, "keys.added", "", map[string]any{"key": number}); err != nil {
			return nil, err
		}
		return m.Handle()
	})
	return r, err
}

// onKeyFile reads the key set file and replaces it by what f makes of it, if anything, inside a sealing transaction, so
// that one process after the other does. The lock is for a process that lost its transaction and does not know yet.
func (s *Store) onKeyFile(ctx context.Context, f func(*tx, *ring) (*keyset.Handle, error)) error {
	if s.keys.path == "" {
		return ErrKeyFile
	}
	return s.sealing(ctx, func(t *tx) error {
		unlock, err := lockKeys(s.keys.path)
		if err != nil {
			return keyFileError(err)
		}
		defer unlock()
		encryption, audit, err := readKeyFile(s.keys.path)
		if err != nil {
			return keyFileError(err)
		}
		file, err := newRing(encryption)
		if err != nil {
			return keyFileError(err)
		}
		if file.seal[t.key] == nil {
			return ErrKeys
		}
		fresh, err := f(t, file)
		if err != nil || fresh == nil {
			return err
		}
		// A file cannot be taken back.
		if err := t.flush(); err != nil {
			return err
		}
		if err := replaceKeys(s.keys.path, fresh, audit); err != nil {
			return keyFileError(err)
		}
		s.reached("key file")
		return nil
	})
}

func keyFileError(err error) error { return fmt.Errorf("%w: %w", ErrKeyFile, err) }

func readKeyFile(path string) (encryption, audit *keyset.Handle, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the key set: %w", err)
	}
	return readKeys(text)
}

func replaceKeys(path string, encryption, audit *keyset.Handle) error {
	text, err := keysText(encryption, audit)
	if err != nil {
		return err
	}
	return replaceSynced(path, text)
}

func lockKeys(path string) (unlock func(), err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("opening the folder of the key set: %w", err)
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = dir.Close()
		return nil, errKeysBusy
	}
	return func() { _ = dir.Close() }, nil
}

// switchKey makes the newest key of the file the one that every process encrypts with. Its audit row stands for what
// follows from that, as encrypting the secrets anew is done in many steps.
func (s *Store) switchKey(ctx context.Context, a Actor) error {
	file, err := loadKeys(s.keys.path)
	if err != nil {
		return err
	}
	return s.sealing(ctx, func(t *tx) error {
		if err := t.audit(a, "keys.rotated", "", map[string]any{"key": file.ring.primary.number()}); err != nil || t.key == file.ring.primary {
			return err
		}
		sealed, err := s.keys.seal(file.ring.primary, keyCheck, []byte(keyCheckText))
		if err != nil {
			return err
		}
		if err := t.one(`UPDATE meta SET value = $1 WHERE name = $2`, sealed, keyCheck); err != nil {
			return err
		}
		s.reached("key check")
		return nil
	})
}

// resealColumn encrypts the values of a column anew that are under another key than the one in use, and counts them.
func (s *Store) resealColumn(ctx context.Context, c sealedColumn) (int, error) {
	keys, err := s.resealKeys(ctx, c)
	if err != nil {
		return 0, err
	}
	n := 0
	var damaged error
	for _, key := range keys {
		switch err := s.sealing(ctx, func(t *tx) error { return t.reseal(c, key) }); {
		case errors.Is(err, ErrKeys):
			damaged = errors.Join(damaged, err) // one that nothing opens keeps no other from being encrypted anew
		case errors.Is(err, ErrMoved):
			// Somebody wrote or erased it meanwhile, and who writes uses the key in use.
		case err != nil:
			return n, err
		default:
			n++
			s.reached("secret")
		}
	}
	return n, damaged
}

// resealKeys lists the rows of a column whose value is under another key than the one in use.
func (s *Store) resealKeys(ctx context.Context, c sealedColumn) (list []any, err error) {
	return all(ctx, s, func(r scanner) (key any, err error) { return key, r.Scan(&key) },
		`SELECT `+c.key+` FROM `+c.table+` WHERE `+c.name+` IS NOT NULL AND substr(`+c.name+`, 1, 5) <> (SELECT substr(value, 1, 5) FROM meta WHERE name = $1) ORDER BY `+c.key, keyCheck)
}

// reseal encrypts one value anew, unless somebody else wrote it meanwhile: ErrMoved.
func (t *tx) reseal(c sealedColumn, key any) error {
	var sealed []byte
	err := t.row(`SELECT `+c.name+` FROM `+c.table+` WHERE `+c.key+` = $1 AND `+c.name+` IS NOT NULL`, key).Scan(&sealed)
	if _, err := found(sealed, err); errors.Is(err, ErrNotFound) {
		return ErrMoved
	} else if err != nil {
		return err
	}
	if keyIDOf(sealed) == t.key {
		return ErrMoved
	}
	secret, err := t.s.unseal(c, key, sealed)
	if err != nil {
		return fmt.Errorf("%s: %w", c.place(key), err)
	}
	fresh, err := t.seal(c, key, secret)
	if err != nil {
		return err
	}
	t.queueOne(`UPDATE `+c.table+` SET `+c.name+` = $1 WHERE `+c.key+` = $2 AND `+c.name+` = $3`, fresh, key, sealed)
	return nil
}

// sealedWithOthers counts the secrets under any other key than this one.
func (t *tx) sealedWithOthers(key keyID) (int, error) {
	sum := 0
	for _, c := range sealedColumns {
		var n int
		err := t.row(`SELECT COUNT(*) FROM `+c.table+` WHERE `+c.name+` IS NOT NULL AND substr(`+c.name+`, 1, 5) <> $1`, []byte(key)).Scan(&n)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// RetireKeys removes every key but the newest from the key set file and returns their numbers. KeysLeftError: something is
// still encrypted with one of them, or the newest is not in use yet. A console that knows only the old keys can lose
// nothing: it encrypts with the key in use or not at all (see sealing), and reads the file again when it meets that key.
// ErrKeyFile; ErrKeys when the file lacks a key.
func (s *Store) RetireKeys(ctx context.Context, a Actor) ([]uint32, error) {
	var removed []uint32
	err := s.onKeyFile(ctx, func(t *tx, file *ring) (*keyset.Handle, error) {
		left, err := t.sealedWithOthers(file.primary)
		if err != nil {
			return nil, err
		}
		if file.primary != t.key || left > 0 {
			return nil, &KeysLeftError{Secrets: left}
		}
		m := keyset.NewManagerFromHandle(file.handle)
		for id := range file.seal {
			if id == file.primary {
				continue
			}
			if err := m.Delete(id.number()); err != nil {
				return nil, fmt.Errorf("removing a key: %w", err)
			}
			removed = append(removed, id.number())
		}
		if len(removed) == 0 {
			return nil, nil
		}
		slices.Sort(removed)
		if err := t.audit(a, "keys.retired", "", map[string]any{"keys": removed, "key": t.key.number()}); err != nil {
			return nil, err
		}
		return m.Handle()
	})
	if err != nil {
		return nil, err
	}
	return removed, nil
}

// States of a key.
const (
	KeyInUse    = "in use"   // secrets are encrypted with it
	KeyPrepared = "prepared" // the next rotation uses it
	KeyOlder    = "older"    // opens what is left under it
	KeyMissing  = "missing"  // secrets are encrypted with it, and the key set lacks it
)

// KeyInfo says what is known of a key, never the key itself.
type KeyInfo struct {
	Key     uint32
	State   string
	Primary bool // of the key set
	Secrets int
}

// Keys lists the keys that encrypt, in the order of the key set, then those that it lacks.
func (s *Store) Keys(ctx context.Context) ([]KeyInfo, error) {
	var sealed []byte
	if _, err := found(sealed, s.row(ctx, `SELECT value FROM meta WHERE name = $1`, keyCheck).Scan(&sealed)); err != nil {
		return nil, err
	}
	counts, err := s.sealedBy(ctx)
	if err != nil {
		return nil, err
	}
	used, ring := keyIDOf(sealed), s.keys.current()
	var list []KeyInfo
	for _, key := range ring.handle.KeysetInfo().GetKeyInfo() {
		id := newKeyID(key.GetKeyId())
		k := KeyInfo{Key: id.number(), State: KeyOlder, Primary: id == ring.primary, Secrets: counts[id]}
		switch id {
		case used:
			k.State = KeyInUse
		case ring.primary:
			k.State = KeyPrepared
		}
		list = append(list, k)
		delete(counts, id)
	}
	for id, n := range counts {
		if len(id) == keyIDSize {
			list = append(list, KeyInfo{Key: id.number(), State: KeyMissing, Secrets: n})
		}
	}
	return list, nil
}

// sealedBy counts the secrets of each key.
func (s *Store) sealedBy(ctx context.Context) (map[keyID]int, error) {
	counts := map[keyID]int{}
	for _, c := range sealedColumns {
		_, err := all(ctx, s, func(r scanner) (n int, err error) {
			var id []byte
			err = r.Scan(&id, &n)
			counts[keyID(id)] += n
			return n, err
		}, `SELECT substr(`+c.name+`, 1, 5), COUNT(*) FROM `+c.table+` WHERE `+c.name+` IS NOT NULL GROUP BY 1`)
		if err != nil {
			return nil, err
		}
	}
	return counts, nil
}
