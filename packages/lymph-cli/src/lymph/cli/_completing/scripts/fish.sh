# Completion of lymph for fish 3.1 or later.
function __lymph_completion
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l answer (LYMPH_COMPLETE_LINE=(string join ' ' -- $words)" $word" $program completion fish --answer </dev/null 2>/dev/null)
    if test "$answer[1]" = files
        set -l start (string match -r '^--[^=]*=' -- $word; or echo '')
        for path in (__fish_complete_path (string replace -r '^--[^=]*=' '' -- $word))
            echo -- $start$path
        end
    else
        printf '%s\n' $answer[2..-1]
    end
end
complete --command lymph --no-files --keep-order --arguments '(__lymph_completion)'
