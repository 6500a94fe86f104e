package lm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// key is a call by content: equal for calls of one meaning to models of one
// fingerprint. n tells apart repetitions.
func key(i Info, c call, n int) (string, error) {
	b, err := json.Marshal(struct {
		Version     int
		Name        string
		Fingerprint string
		Call        call
		Repetition  int
	}{1, i.Name, i.Fingerprint, c.normal(), n})
	if err != nil {
		return "", &Error{Kind: Invalid, Model: i.Name, Err: err}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
