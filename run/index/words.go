package index

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Words are what all runs of the index can be filtered by, each with how many runs have it.
type Words struct {
	Commands map[string]int `json:"commands"`
	Methods  map[string]int `json:"methods"`
	Tags     map[string]int `json:"tags"`
}

// Words counts them.
func (x *Index) Words(ctx context.Context) (*Words, error) {
	w := &Words{map[string]int{}, map[string]int{}, map[string]int{}}
	of := map[string]map[string]int{"command": w.Commands, "method": w.Methods, "tag": w.Tags}
	rows, err := x.db.QueryContext(ctx, "SELECT 'command', command, count(*) FROM runs GROUP BY command UNION ALL SELECT kind, word, count(*) FROM words GROUP BY kind, word")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, word string
		var n int
		if err := rows.Scan(&kind, &word, &n); err != nil {
			return nil, err
		}
		if m := of[kind]; m != nil {
			m[word] = n
		}
	}
	return w, rows.Err()
}

// mostDays is about as long ago as a duration can say.
const mostDays = 100_000

// Since reads a time as people say it: how long before now, such as 90m, 12h or 7d, or a
// date, 2006-01-02.
func Since(text string, now time.Time) (time.Time, error) {
	if t, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return t, nil
	}
	d, err := time.ParseDuration(text)
	var days float64
	if _, e := fmt.Sscanf(text+"!", "%gd!", &days); e == nil {
		d, err = -1, nil
		if days >= 0 && days < mostDays {
			d = time.Duration(days * 24 * float64(time.Hour))
		}
	}
	if err != nil || d < 0 {
		return now, errors.New("how long ago is needed, such as 90m, 12h or 7d, or a date 2006-01-02")
	}
	return now.Add(-d), nil
}
