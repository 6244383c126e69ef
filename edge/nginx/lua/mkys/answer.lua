-- The answer of a service to a handshake: its head; and, where it does not upgrade, all of it on to the visitor. That is all that comes
-- through: what a visitor sent behind the handshake would be asked of the service without a look at the routes.
local _M = {}

-- The most that the head of an answer has, in bytes.
local MOST = 65536
local CHUNK = 16384
-- Hop-by-hop fields, fields that NGINX sets itself, and NGINX' own control fields.
local HOP = {
    connection = true, ["keep-alive"] = true, ["transfer-encoding"] = true, trailer = true, ["proxy-connection"] = true,
    ["content-length"] = true, date = true, server = true,
    ["x-accel-redirect"] = true, ["x-accel-expires"] = true, ["x-accel-limit-rate"] = true, ["x-accel-buffering"] = true,
    ["x-accel-charset"] = true,
}

-- The lines of a head, the last of them empty, and its status. Interim answers, such as 103, are left out.
function _M.head(upstream)
    local lines, status
    repeat
        lines = {}
        local size = 0
        repeat
            local line, why = upstream:receive("*l")
            if not line then
                return nil, nil, why
            end
            lines[#lines + 1] = line
            size = size + #line
            if size > MOST then
                return nil, nil, "the head of its answer has no end"
            end
        until line == ""
        status = tonumber(lines[1]:match("^HTTP/1%.%d (%d%d%d)") or "")
    until not status or status == 101 or status >= 200
    return lines, status
end

-- Hands on so many bytes of the body, or all until its end. Gives whether they came.
local function pass(upstream, length)
    while not length or length > 0 do
        local data, why = upstream:receiveany(math.min(length or CHUNK, CHUNK))
        if not data then
            return not length and why == "closed"
        end
        ngx.print(data)
        if not ngx.flush(true) then
            return false
        end
        length = length and length - #data
    end
    return true
end

-- The same of a body in chunks (RFC 9112, section 7.1).
local function pass_chunks(upstream)
    while true do
        local line = upstream:receive("*l")
        local size = line and tonumber(line:match("^%x+"), 16)
        if not size then
            return false
        end
        if size == 0 then
            return true
        end
        if not pass(upstream, size) or upstream:receive("*l") ~= "" then
            return false
        end
    end
end

-- Hands an answer on that does not upgrade, as it comes.
function _M.hand_on(upstream, lines, status)
    local length, is_chunked
    local fields = {}
    for index = 2, #lines do
        local name, value = lines[index]:match("^([^:%s]+):%s*(.-)%s*$")
        local plain = name and name:lower()
        if plain == "content-length" then
            length = tonumber(value)
        elseif plain == "transfer-encoding" then
            is_chunked = value:lower():find("chunked", 1, true) ~= nil
        end
        if plain and not HOP[plain] then
            fields[plain] = fields[plain] or { name = name }
            table.insert(fields[plain], value)
        end
    end
    for plain, field in pairs(fields) do
        local value = #field > 1 and { unpack(field) } or field[1]
        if plain == "www-authenticate" and #field > 1 then
            -- NGINX keeps one of these; it is a list (RFC 9110, section 11.6.1)
            value = table.concat(field, ", ")
        end
        ngx.header[field.name] = value
    end
    ngx.status = status
    local has_body = status ~= 204 and status ~= 304
    if has_body and not is_chunked then
        ngx.header.content_length = length
    end
    -- at once, also where the body is empty: what has not begun to be sent would be NGINX's own 502, which asks once more
    ngx.send_headers()
    local is_whole = true
    if has_body then
        is_whole = is_chunked and pass_chunks(upstream) or not is_chunked and pass(upstream, length)
    end
    upstream:close()
    -- a body that is not whole must not look as if it were
    return ngx.exit(is_whole and status or ngx.ERROR)
end

return _M
