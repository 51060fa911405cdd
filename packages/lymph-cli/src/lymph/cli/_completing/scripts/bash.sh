# Completion of lymph for bash 4.4 or later.
_lymph_completion() {
    local program=${1/#\~\//$HOME/} answer
    COMPREPLY=()
    answer=$(LYMPH_COMPLETE_LINE=${COMP_LINE:0:COMP_POINT} LYMPH_COMPLETE_BREAKS=$COMP_WORDBREAKS \
        "$program" completion bash --answer </dev/null 2>/dev/null) || return 0
    case ${answer%%$'\n'*} in
        files) compopt -o default -o bashdefault ;;
        unfinished) compopt -o nospace ;;
    esac
    [[ $answer != *$'\n'* ]] || mapfile -t COMPREPLY <<<"${answer#*$'\n'}"
}
complete -o nosort -F _lymph_completion lymph
