package store

import (
	"context"
	"database/sql"
)

// User is a person who may sign in.
type User struct {
	ID         int64
	Name       string
	Password   string // the Argon2id hash; "" when none was chosen yet, NoPassword when an administrator ended it
	Role       string
	Language   string
	Theme      string
	TimeZone   string
	Shortcuts  string
	CreatedAt  int64
	DisabledAt int64 // 0: not disabled
	Limited    bool  // writing reaches only Apps
	Apps       []int64
}

// NoPassword stands in the place of a hash that an administrator ended. No password has it as its hash.
const NoPassword = "!"

// CanSignIn tells whether the person has a password and is not disabled.
func (u User) CanSignIn() bool {
	return u.DisabledAt == 0 && u.Password != "" && u.Password != NoPassword
}

// NewUser is what is needed to add a person; Password is the hash.
type NewUser struct {
	Name, Password, Role string
}

// Preferences are what a person chose for their own pages; "" means as the browser or the console says.
type Preferences struct {
	Language, Theme, TimeZone string
	Shortcuts                 string // "off": keys alone do nothing
}

// FirstAdmin adds the first person of an empty console. It fails with ErrDuplicate once anybody exists, however many try at once.
func (s *Store) FirstAdmin(ctx context.Context, a Actor, u NewUser) (int64, error) {
	var id int64
	err := s.write(ctx, func(t *tx) error {
		// The head row keeps parallel set-ups apart on both databases.
		if err := t.has(auditHead); err != nil {
			return err
		}
		var people int
		if err := t.row(`SELECT COUNT(*) FROM users`).Scan(&people); err != nil {
			return err
		}
		if people > 0 {
			return ErrDuplicate
		}
		var err error
		id, err = t.addUser(a, u)
		return err
	})
	return id, err
}

// AddUser adds a person; ErrDuplicate when the name is taken, whatever its case.
func (s *Store) AddUser(ctx context.Context, a Actor, u NewUser) (int64, error) {
	var id int64
	err := s.write(ctx, func(t *tx) (err error) {
		id, err = t.addUser(a, u)
		return err
	})
	return id, err
}

func (t *tx) addUser(a Actor, u NewUser) (int64, error) {
	id, err := t.insertUser(u)
	if err != nil {
		return 0, err
	}
	return id, t.audit(a, "user.added", u.Name, map[string]string{"role": u.Role})
}

func (t *tx) insertUser(u NewUser) (int64, error) {
	var id int64
	err := t.row(`INSERT INTO users (name, name_key, password, role, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
		u.Name, Key(u.Name), u.Password, u.Role, t.now).Scan(&id)
	if t.s.dialect.isUnique(err) {
		return 0, ErrDuplicate
	}
	return id, err
}

const userColumns = `id, name, password, role, language, theme, time_zone, shortcuts, created_at, disabled_at`

func scanUser(r scanner) (User, error) {
	var u User
	var disabled sql.NullInt64
	err := r.Scan(&u.ID, &u.Name, &u.Password, &u.Role, &u.Language, &u.Theme, &u.TimeZone, &u.Shortcuts, &u.CreatedAt, &disabled)
	u.DisabledAt = disabled.Int64
	return u, err
}

// UserByName finds a person by sign-in name, ignoring case.
func (s *Store) UserByName(ctx context.Context, name string) (User, error) {
	return found(scanUser(s.row(ctx, `SELECT `+userColumns+` FROM users WHERE name_key = $1`, Key(name))))
}

// HasUsers tells whether the console was set up.
func (s *Store) HasUsers(ctx context.Context) (bool, error) {
	var n int
	err := s.row(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM users LIMIT 1) AS one`).Scan(&n)
	return n > 0, unavailable(err)
}

// SetPreferences keeps what a person chose for their own pages.
func (s *Store) SetPreferences(ctx context.Context, a Actor, id int64, p Preferences) error {
	return s.write(ctx, func(t *tx) error {
		t.queueOne(`UPDATE users SET language = $1, theme = $2, time_zone = $3, shortcuts = $4 WHERE id = $5`, p.Language, p.Theme, p.TimeZone, p.Shortcuts, id)
		return t.audit(a, "user.preferences", a.Name, p)
	})
}

// SetPassword replaces a person's password hash and ends all their sessions except keep ("" keeps none), their links, and
// what their browsers are known for. old is the hash that was checked; ErrMoved: the person has another one by now, was
// disabled, or the session to keep has ended.
func (s *Store) SetPassword(ctx context.Context, a Actor, id int64, old, hash, keep string) error {
	return s.write(ctx, func(t *tx) error {
		t.queueOne(`UPDATE users SET password = $1 WHERE id = $2 AND password = $3 AND disabled_at IS NULL`, hash, id, old)
		// The person's row is held now, so whoever ended the session has committed.
		if keep != "" {
			if err := t.has(`sessions WHERE id = $1 AND user_id = $2`, keep, id); err != nil {
				return err
			}
		}
		t.shutOut(id, keep)
		return t.audit(a, "user.password", a.Name, nil)
	})
}
