#!/bin/sh
# Refuses a ref as GitHub does. What is protected, and whether the token may change workflows, is in the environment.
case " $STAND_IN_PROTECTED " in
*" $1 "*)
    echo "error: GH006: Protected branch update failed for $1." >&2
    echo "error: Changes must be made through a pull request." >&2
    exit 1
    ;;
esac
nothing=0000000000000000000000000000000000000000
if [ "$3" = "$nothing" ] || [ "$STAND_IN_WORKFLOW" = yes ]; then exit 0; fi
old=$2
if [ "$old" = "$nothing" ]; then
    old=$(git merge-base "$STAND_IN_DEFAULT" "$3" 2>/dev/null || git hash-object -t tree /dev/null)
fi
changed=$(git diff-tree -r --name-only "$old" "$3" -- .github/workflows | head -n 1)
if [ -z "$changed" ]; then exit 0; fi
echo "error: refusing to allow a token to create or update workflow \`$changed\` without \`workflow\` scope" >&2
exit 1
