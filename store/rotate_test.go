package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"callboard/store"
	"callboard/store/storetest"
)

// notSealed are the columns of bytes that hold no encrypted secret.
var notSealed = []string{"audit.mac", "audit_head.mac", "exchanges.answer", "exchanges.request", "meta.value"}

// TestEverySealedColumnIsRotated fails when a new column of bytes is in neither list.
func TestEverySealedColumnIsRotated(t *testing.T) {
	f := empty(t, storetest.SQLite(t))
	var found []string
	for table, columns := range f.tables() {
		for _, c := range columns {
			if name, kind, _ := strings.Cut(c, " "); strings.HasPrefix(kind, "bytes") {
				found = append(found, table+"."+name)
			}
		}
	}
	slices.Sort(found)
	same(t, "columns of bytes", slices.Sorted(slices.Values(slices.Concat(notSealed, store.SealedColumns()))), found)
}

// vault is a store with a secret of every kind, each known to the test.
type vault struct {
	fixture
	secrets map[int64]string // of apps
	cookies [][]byte
}

const vaultApps = 4

func newVault(t *testing.T, db storetest.Database) vault {
	t.Helper()
	f := newFixture(t, db)
	v := vault{f, map[int64]string{aurora: "k3y"}, nil}
	for i := int64(1); i < vaultApps; i++ {
		n := settings(aurora+100+i, fmt.Sprint("App ", i))
		n.Secret = fmt.Sprint("secret ", i)
		v.secrets[n.SDKAppID] = n.Secret
		f.must(f.AddApp(ctx(t), mei, n))
	}
	for i := range 2 {
		key := []byte(strings.Repeat(fmt.Sprint(i), 96))
		v.cookies = append([][]byte{key}, v.cookies...)
		f.must(store.AddCookieKey(f.Store, key))
	}
	f.must(tokenPlan(f, false))
	return v
}

// vaultSecrets is how many secrets a vault holds.
const vaultSecrets = vaultApps + 2 + 1

// wants reads everything with a store.
func (v vault) wants(t *testing.T, when string, s *store.Store) {
	t.Helper()
	for id, want := range v.secrets {
		if _, got, err := s.AppWithSecret(t.Context(), id); err != nil || got != want {
			t.Fatalf("%s: the secret of %d is %q, %v", when, id, got, err)
		}
	}
	keys, err := s.CookieKeys(t.Context(), nil)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	same(t, when+": cookie keys", v.cookies, keys)
	if token, err := s.PlanToken(t.Context(), "t"); err != nil || token != "token" {
		t.Fatalf("%s: the token is %q, %v", when, token, err)
	}
}

// another opens the same database as another process does, with the key set as it is in the file now.
func (v vault) another(t *testing.T, reached func(string)) *store.Store {
	t.Helper()
	keys, err := store.LoadKeys(store.PathOf(v.db.Keys), false)
	v.must(err)
	s, err := store.Open(ctx(t), store.Options{Database: v.db.Address, Keys: keys, Reached: reached})
	v.must(err)
	t.Cleanup(func() { v.must(s.Close()) })
	return s
}

// states are the keys of the file with their states and numbers of secrets.
func states(t *testing.T, s *store.Store) []string {
	t.Helper()
	list, err := s.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, k := range list {
		text = append(text, fmt.Sprintf("%s %v %d", k.State, k.Primary, k.Secrets))
	}
	return text
}

func TestKeysAreRotatedAndRetired(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		v := newVault(t, db)
		old := v.another(t, nil)
		rotating := v.another(t, nil)
		same(t, "before", []string{fmt.Sprint("in use true ", vaultSecrets)}, states(t, rotating))

		r, err := rotating.RotateKeys(ctx(t), store.CommandLine, true)
		v.must(err)
		same(t, "prepared", store.KeyRotation{Key: r.Key, Added: true, Prepared: true}, r)
		again, err := rotating.RotateKeys(ctx(t), store.CommandLine, true)
		v.must(err)
		same(t, "prepared twice", store.KeyRotation{Key: r.Key, Prepared: true}, again)
		same(t, "prepared", []string{fmt.Sprint("in use false ", vaultSecrets), "prepared true 0"}, states(t, v.another(t, nil)))
		var left *store.KeysLeftError
		if _, err := rotating.RetireKeys(ctx(t), store.CommandLine); !errors.As(err, &left) || left.Secrets != vaultSecrets {
			t.Errorf("retiring before the rotation: %v", err)
		}

		r, err = rotating.RotateKeys(ctx(t), store.CommandLine, false)
		v.must(err)
		same(t, "rotated", store.KeyRotation{Key: again.Key, Secrets: vaultSecrets}, r)
		same(t, "rotated", []string{"older false 0", fmt.Sprint("in use true ", vaultSecrets)}, states(t, v.another(t, nil)))
		v.wants(t, "after the rotation, a process with the old keys", old)

		stale := v.another(t, nil)
		r, err = stale.RotateKeys(ctx(t), store.CommandLine, false)
		v.must(err)
		if !r.Added || r.Secrets != vaultSecrets {
			t.Errorf("a second rotation did %+v", r)
		}
		removed, err := stale.RetireKeys(ctx(t), store.CommandLine)
		v.must(err)
		same(t, "retired", 2, len(removed))
		removed, err = stale.RetireKeys(ctx(t), store.CommandLine)
		v.must(err)
		same(t, "retired a second time", 0, len(removed))
		for name, s := range map[string]*store.Store{"the oldest keys": old, "the one that rotated": rotating, "fresh": v.another(t, nil)} {
			v.wants(t, "after retiring, "+name, s)
		}
		n := settings(borea, "Borea")
		v.must(old.AddApp(ctx(t), mei, n))
		same(t, "what the oldest process wrote", []string{fmt.Sprint("in use true ", vaultSecrets+1)}, states(t, v.another(t, nil)))
		info, err := os.Stat(store.PathOf(db.Keys))
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("the file: %v, %v", info.Mode(), err)
		}
		v.intact()
	})
}

// TestRotationCanBeInterruptedAnywhere ends rotations after each of their steps, then each time lets one finish.
func TestRotationCanBeInterruptedAnywhere(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		v := newVault(t, db)
		old := v.another(t, nil)
		steps := 0
		for {
			steps++
			ended, end := context.WithCancel(ctx(t))
			left := steps
			s := v.another(t, func(string) {
				if left--; left == 0 {
					end()
				}
			})
			r, err := s.RotateKeys(ended, store.CommandLine, false)
			end()
			if err == nil { // nothing came after the last step
				same(t, "steps", 2+vaultSecrets, steps)
				same(t, "without an interruption", []any{true, vaultSecrets}, []any{r.Added, r.Secrets})
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("step %d: %v", steps, err)
			}
			v.wants(t, fmt.Sprint("interrupted after step ", steps, ", the process of before"), old)
			v.wants(t, fmt.Sprint("interrupted after step ", steps), v.another(t, nil))
			same(t, "keys", 2, len(states(t, v.another(t, nil))))
			r, err = v.another(t, nil).RotateKeys(ctx(t), store.CommandLine, false)
			v.must(err)
			if r.Added {
				t.Errorf("step %d: the next rotation added a key", steps)
			}
			_, err = v.another(t, nil).RetireKeys(ctx(t), store.CommandLine)
			v.must(err)
			v.wants(t, fmt.Sprint("finished after step ", steps), v.another(t, nil))
			same(t, "keys", []string{fmt.Sprint("in use true ", vaultSecrets)}, states(t, v.another(t, nil)))
		}
		v.intact()
	})
}

// TestNothingIsLostBesideARotation lets two processes write all the time while keys come and go.
func TestNothingIsLostBesideARotation(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		v := newVault(t, db)
		var writers sync.WaitGroup
		stop := make(chan struct{})
		ids := []int64{aurora + 101, aurora + 102}
		for _, id := range ids {
			s := v.another(t, nil)
			writers.Go(func() {
				for version := int64(1); ; version++ {
					n := settings(id, "App")
					n.Secret = fmt.Sprint("secret ", version)
					if err := s.UpdateApp(context.Background(), mei, version, n); err != nil {
						t.Errorf("writing: %v", err)
						return
					}
					if _, got, err := s.AppWithSecret(context.Background(), id); err != nil || got != n.Secret {
						t.Errorf("the secret that was written is %q, %v", got, err)
						return
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		for range 3 {
			r, err := v.another(t, nil).RotateKeys(ctx(t), store.CommandLine, false)
			if err != nil || !r.Added {
				t.Errorf("rotating: %+v, %v", r, err)
			}
			if _, err := v.another(t, nil).RetireKeys(ctx(t), store.CommandLine); err != nil {
				t.Errorf("retiring: %v", err)
			}
		}
		close(stop)
		writers.Wait()
		fresh := v.another(t, nil)
		same(t, "keys", []string{fmt.Sprint("in use true ", vaultSecrets)}, states(t, fresh))
		for _, id := range ids {
			v.secrets[id] = fmt.Sprint("secret ", v.app(id).Version-1)
		}
		v.wants(t, "in the end", fresh)
		v.intact()
	})
}

func TestRotationsThatCannotBe(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		v := newVault(t, db)
		path := store.PathOf(db.Keys)
		text, err := os.ReadFile(path)
		v.must(err)
		_, foreign, err := store.NewKeys()
		v.must(err)
		parsed, err := store.ParseKeys(text)
		v.must(err)
		tests := map[string]struct {
			keys    *store.Keys
			prepare func()
			want    error
		}{
			"read-only file":          {nil, func() { v.must(os.Chmod(path, 0o400)) }, store.ErrKeyFile},
			"no place for a new file": {nil, func() { v.must(os.MkdirAll(path+".new/x", 0o700)) }, store.ErrKeyFile},
			"no file any more":        {nil, func() { v.must(os.Remove(path)) }, store.ErrKeyFile},
			"not a key set any more":  {nil, func() { v.must(os.WriteFile(path, []byte("s3cret"), 0o600)) }, store.ErrKeyFile},
			"another key set":         {nil, func() { v.must(os.WriteFile(path, foreign, 0o600)) }, store.ErrKeys},
			"keys of no file":         {parsed, func() {}, store.ErrKeyFile},
		}
		for name, test := range tests {
			v.must(errors.Join(os.RemoveAll(path), os.RemoveAll(path+".new"), os.WriteFile(path, text, 0o600)))
			keys := test.keys
			if keys == nil {
				keys, err = store.LoadKeys(path, false)
				v.must(err)
			}
			s, err := store.Open(ctx(t), store.Options{Database: db.Address, Keys: keys})
			v.must(err)
			test.prepare()
			before := v.dump()
			if _, err := s.RotateKeys(ctx(t), store.CommandLine, false); !errors.Is(err, test.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: rotating: %v", name, err)
			}
			if _, err := s.RetireKeys(ctx(t), store.CommandLine); err != nil && !errors.Is(err, test.want) {
				t.Errorf("%s: retiring: %v", name, err)
			}
			same(t, name+": every row", before, v.dump())
			v.wants(t, name, s)
			v.must(s.Close())
		}
	})
}

// TestASecretThatNothingOpens keeps no other from being encrypted anew, and the old key from being removed.
func TestASecretThatNothingOpens(t *testing.T) {
	both(t, func(t *testing.T, db storetest.Database) {
		v := newVault(t, db)
		v.exec(`UPDATE apps SET secret = (SELECT secret FROM apps b WHERE b.sdkappid = $1) WHERE sdkappid = $2`, aurora+101, aurora)
		s := v.another(t, nil)
		r, err := s.RotateKeys(ctx(t), store.CommandLine, false)
		if !errors.Is(err, store.ErrKeys) || !strings.Contains(err.Error(), "apps/1400000001/secret") || r.Secrets != vaultSecrets-1 {
			t.Errorf("rotating: %+v, %v", r, err)
		}
		var left *store.KeysLeftError
		if _, err := s.RetireKeys(ctx(t), store.CommandLine); !errors.As(err, &left) || left.Secrets != 1 {
			t.Errorf("retiring: %v", err)
		}
		n := settings(aurora, "Aurora") // entered anew
		v.must(s.UpdateApp(ctx(t), mei, v.app(aurora).Version, n))
		removed, err := s.RetireKeys(ctx(t), store.CommandLine)
		v.must(err)
		same(t, "removed", 1, len(removed))
		v.wants(t, "in the end", v.another(t, nil))
	})
}
