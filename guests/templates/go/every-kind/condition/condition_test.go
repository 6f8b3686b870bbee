package condition

import (
	"errors"
	"fmt"
	"testing"
)

func TestAnErrorKeepsItsConditionWhereItIsWrapped(t *testing.T) {
	err := fmt.Errorf("cannot look: %w", NotFound.Errorf("no %s", "music"))
	if !NotFound.Is(err) || Denied.Is(err) || err.Error() != "cannot look: no music" {
		t.Error(Of(err), err)
	}
}

func TestWhatHasNoConditionIsABug(t *testing.T) {
	if found := Of(errors.New("index out of range")); found != Internal {
		t.Error(found)
	}
	if Internal.Is(nil) {
		t.Error("nothing went wrong")
	}
}
