package lmtest_test

import (
	"testing"

	"pare/internal/lmtest"
)

func TestFake(t *testing.T) { lmtest.Contract(t, lmtest.NewFake("fake")) }
