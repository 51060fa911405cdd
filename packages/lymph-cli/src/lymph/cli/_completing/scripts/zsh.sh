#compdef lymph
# Completion of lymph for zsh.
_lymph() {
    local program=${(Q)words[1]/#\~\//$HOME/} kind line value
    local -a answer values shown ending
    local -i width=0
    answer=("${(@f)$(LYMPH_COMPLETE_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" \
        $program completion zsh --answer </dev/null 2>/dev/null)}")
    kind=${answer[1]}
    if [[ $kind == files ]]; then
        compset -P '--*='
        _files
        return
    fi
    [[ $kind == unfinished ]] && ending=(-S '')
    for line in "${(@)answer[2,-1]}"; do
        [[ -n $line ]] || continue
        value=${line%%$'\t'*}
        values+=("$value")
        (( $#value > width )) && width=$#value
    done
    for line in "${(@)answer[2,-1]}"; do
        [[ -n $line ]] || continue
        value=${line%%$'\t'*}
        line=${line#"$value"}
        shown+=("${${:-${(r:$width:)value}  ${line#$'\t'}}:0:${COLUMNS:-80}-2}")
    done
    (( $#values )) && compadd -V lymph -l -d shown "${(@)ending}" -a values
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _lymph "$@"
else
    compdef _lymph lymph
fi
